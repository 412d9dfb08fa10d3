{{- /* Names, labels, the gateway and the module's address. */ -}}

{{- define "ipp.name" -}}{{ .Values.payloadProcessor.name }}{{- end }}

{{- define "ipp.labels" -}}
app.kubernetes.io/name: {{ include "ipp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "ipp.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "ipp.labels" .root | nindent 2 }}
{{- end }}

{{- /* REGISTRY/REPOSITORY@DIGEST, or with the tag. */ -}}
{{- define "ipp.image" -}}
{{- with .Values.payloadProcessor.image -}}
{{ .registry }}/{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{- /* What a WasmPlugin or an EnvoyFilter attaches to; the two kinds spell a selector differently. */ -}}
{{- define "ipp.istioTarget" -}}
{{- with .root.Values.inferenceGateway.selector -}}
{{ $.selectorKey }}:
  {{ $.labelsKey }}:
    {{- toYaml . | nindent 4 }}
{{- else -}}
targetRefs:
- group: gateway.networking.k8s.io
  kind: Gateway
  name: {{ .root.Values.inferenceGateway.name }}
{{- end }}
{{- end }}

{{- define "ipp.wasmTarget" -}}
{{- include "ipp.istioTarget" (dict "root" . "selectorKey" "selector" "labelsKey" "matchLabels") }}
{{- end }}

{{- define "ipp.filterTarget" -}}
{{- include "ipp.istioTarget" (dict "root" . "selectorKey" "workloadSelector" "labelsKey" "labels") }}
{{- end }}
