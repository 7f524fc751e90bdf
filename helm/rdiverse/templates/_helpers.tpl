{{/* Names, labels, addresses, images. Every name begins with the release's, so that releases share a namespace. */}}

{{- define "rdiverse.selector" -}}
app.kubernetes.io/name: rdiverse
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "rdiverse.labels" -}}
{{ include "rdiverse.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of a pod: those that select it, and podLabels. */}}
{{- define "rdiverse.podLabels" -}}
{{ include "rdiverse.selector" . }}
{{- with .root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Host and port of a headless Service of the release. */}}
{{- define "rdiverse.address" -}}
dns:///{{ .root.Release.Name }}-{{ .service }}.{{ .root.Release.Namespace }}.svc:9000
{{- end }}

{{/* Where runs find the diversity service: the read replicas, which know the writer, when there are any. */}}
{{- define "rdiverse.diversityAddress" -}}
{{- $service := ternary "diversity-read" "diversity" (gt (int .Values.diversity.read.replicas) 0) -}}
{{- include "rdiverse.address" (dict "root" . "service" $service) -}}
{{- end }}

{{- define "rdiverse.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := printf "%s/%s" (trimSuffix "/" $image.prefix) (index $image.names .use) -}}
{{- with index $image.digests .use -}}
{{ $name }}@{{ . }}
{{- else -}}
{{ $name }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "rdiverse.workspace" -}}
{{ .Values.workspace.existingClaim | default (printf "%s-workspace" .Release.Name) }}
{{- end }}

{{- define "rdiverse.serverSecret" -}}
{{ .Values.tls.secretName | default (printf "%s-server" .Release.Name) }}
{{- end }}

{{- define "rdiverse.clientSecret" -}}
{{ .Values.clientSecret | default (printf "%s-client" .Release.Name) }}
{{- end }}

{{/* "true" when programs are embedded by a model behind its own server. */}}
{{- define "rdiverse.hasEncoder" -}}
{{- if eq .Values.config.encoder.kind "model" }}true{{ end -}}
{{- end }}

{{/* The RunConfig of coder, encoder and diversity service. */}}
{{- define "rdiverse.config" -}}
{{ merge (dict "workspace" "/workspace") .Values.config | toYaml }}
{{- end }}

{{- define "rdiverse.milvusUri" -}}
{{ ternary "http://127.0.0.1:19530" .Values.milvus.external.uri .Values.milvus.embedded.enabled }}
{{- end }}
