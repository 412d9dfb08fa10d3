{{- /* Envoy's own form of the labels and buckets. */ -}}
{{- define "ipp.statsConfig" -}}
stats_config:
  stats_tags:
  {{- range .Values.stats.tags }}
  - {tag_name: {{ . }}, regex: '({{ . }}=\.=(.*?);\.;)'}
  {{- end }}
  histogram_bucket_settings:
  {{- range .Values.stats.histogramBuckets }}
  - match: {suffix: {{ .metric }}}
    buckets: {{ toJson .buckets }}
  {{- end }}
{{- end }}
