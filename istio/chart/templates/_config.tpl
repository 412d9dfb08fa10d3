{{- /* The PayloadProcessorConfig: customConfig or the built-in one, with the mappings and the models put into it. */ -}}

{{- define "ipp.config" -}}
{{- $config := deepCopy .root.Values.payloadProcessor.customConfig -}}
{{- if not $config -}}
{{- $config = .root.Files.Get "files/default-config.yaml" | fromYaml -}}
{{- end -}}
{{- $_ := set $config "apiVersion" "llm-d.ai/v1alpha1" -}}
{{- $_ := set $config "kind" "PayloadProcessorConfig" -}}
{{- $parameters := dict -}}
{{- with .root.Values.payloadProcessor.modelMappings -}}
{{- $_ := set $parameters "mappings" . -}}
{{- end -}}
{{- if .root.Values.liveMappings.enabled -}}
{{- $_ := set $parameters "source" (include "ipp.source" .root | fromYaml) -}}
{{- $_ := set $parameters "whileEmpty" .root.Values.liveMappings.whileEmpty -}}
{{- end -}}
{{- if $parameters -}}
{{- range $plugin := $config.plugins -}}
{{- if eq $plugin.type "base-model-to-header" -}}
{{- $_ := set $plugin "parameters" (merge $parameters ($plugin.parameters | default dict)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with include "ipp.modelParameters" .root | fromYaml -}}
{{- $source := dict -}}
{{- range $plugin := $config.plugins -}}
{{- if and (eq $plugin.type "model-config-datasource") (not (include "ipp.hasModels" $plugin)) }}{{ $source = $plugin }}{{ end -}}
{{- end -}}
{{- if $source -}}
{{- $_ := set $source "parameters" (merge . (omit ($source.parameters | default dict) "modelsPath")) -}}
{{- else -}}
{{- $_ := set $config "plugins" (append ($config.plugins | default list) (dict "type" "model-config-datasource" "parameters" .)) -}}
{{- $layer := $config.datalayer | default dict -}}
{{- $_ := set $layer "datasources" (append ($layer.datasources | default list) (dict "pluginRef" "model-config-datasource")) -}}
{{- $_ := set $config "datalayer" $layer -}}
{{- end -}}
{{- end -}}
{{- if ne .role "direct" -}}
{{- $options := $config.proxyWasm | default dict -}}
{{- $_ := set $options "role" .role -}}
{{- $_ := set $config "proxyWasm" $options -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{- /* The models as the plugin has them, which is as in the Go service's file; nothing where there are none. */ -}}
{{- define "ipp.modelParameters" -}}
{{- $models := list -}}
{{- range $model := .Values.payloadProcessor.models.models -}}
{{- $pricing := dict -}}
{{- range $ours, $theirs := dict "inputPerMillion" "input_per_million" "outputPerMillion" "output_per_million" -}}
{{- if hasKey ($model.pricing | default dict) $ours }}{{ $_ := set $pricing $theirs (get $model.pricing $ours) }}{{ end -}}
{{- end -}}
{{- $model = omit $model "pricing" -}}
{{- if $pricing }}{{ $_ := set $model "pricing" $pricing }}{{ end -}}
{{- $models = append $models $model -}}
{{- end -}}
{{- if $models -}}
{{- $parameters := dict "models" $models -}}
{{- with .Values.payloadProcessor.models.groups }}{{ $_ := set $parameters "groups" . }}{{ end -}}
{{- toYaml $parameters -}}
{{- end -}}
{{- end }}

{{- /* Whether a data source of customConfig has models of its own. */ -}}
{{- define "ipp.hasModels" -}}
{{- $parameters := .parameters | default dict -}}
{{- if or $parameters.models $parameters.groups }}true{{ end -}}
{{- end }}

{{- /* `source` of base-model-to-header. */ -}}
{{- define "ipp.source" -}}
{{- $live := .Values.liveMappings -}}
{{- $namespace := printf "/namespaces/%s" .Release.Namespace -}}
{{- if .Values.payloadProcessor.multiNamespace }}{{ $namespace = "" }}{{ end -}}
cluster: {{ include "ipp.sourceCluster" . | quote }}
authority: {{ if eq $live.via "proxy" }}{{ include "ipp.liveHost" . }}{{ else }}kubernetes.default.svc{{ end }}
path: /api/v1{{ $namespace }}/configmaps?labelSelector={{ $live.labelSelector | urlquery }}
{{- if eq $live.via "apiserver" }}
headers:
  authorization: Bearer ${ {{- $live.apiserver.tokenVariable -}} }
{{- end }}
interval: {{ $live.interval }}
timeout: {{ $live.timeout }}
{{- end }}

{{- define "ipp.liveHost" -}}
{{ include "ipp.name" . }}-configmaps.{{ .Release.Namespace }}.svc.cluster.local
{{- end }}

{{- define "ipp.sourceCluster" -}}
{{- $live := .Values.liveMappings -}}
{{- if $live.cluster -}}
{{ $live.cluster }}
{{- else if eq $live.via "apiserver" -}}
outbound|443||kubernetes.default.svc.cluster.local
{{- else if eq .Values.provider.name "istio" -}}
outbound|{{ int $live.proxy.port }}||{{ include "ipp.liveHost" . }}
{{- else -}}
{{ include "ipp.name" . }}-configmaps
{{- end -}}
{{- end }}

{{- /* The body of Envoy's PluginConfig in direct mode, but for the code. */ -}}
{{- define "ipp.directFilter" -}}
name: {{ include "ipp.name" . }}
root_id: {{ include "ipp.name" . }}
# Lets the filter hold the headers while it reads the body.
allow_on_headers_stop_iteration: true
failure_policy: FAIL_RELOAD
configuration:
  "@type": type.googleapis.com/google.protobuf.StringValue
  value: |
    {{- include "ipp.config" (dict "root" . "role" "direct") | nindent 4 }}
{{- end }}
