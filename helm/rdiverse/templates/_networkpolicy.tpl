{{/* Parts of NetworkPolicies. */}}

{{- define "rdiverse.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rdiverse.labels" (dict "root" .root "component" "network") | nindent 4 }}
spec:
{{- end }}

{{/* Pods of the release, by component. */}}
{{- define "rdiverse.peers" -}}
{{- range .components }}
- podSelector: {matchLabels: {app.kubernetes.io/name: rdiverse, app.kubernetes.io/instance: {{ $.root.Release.Name }}, app.kubernetes.io/component: {{ . }}}}
{{- end }}
{{- end }}

{{/* Steps of pipeline runs: compiled before any release, they carry no instance. */}}
{{- define "rdiverse.stepPeer" -}}
- podSelector: {matchLabels: {app.kubernetes.io/name: rdiverse, app.kubernetes.io/component: step}}
{{- end }}

{{- define "rdiverse.metricsIngress" -}}
{{- with .Values.networkPolicy.metricsFrom }}
- from:
    {{- toYaml . | nindent 4 }}
  ports: [{port: 9100, protocol: TCP}]
{{- end }}
{{- end }}

{{/* Hub, object storage, trackers: rules, or nothing. */}}
{{- define "rdiverse.outside" -}}
{{- $policy := .Values.networkPolicy }}
{{- if and $policy.internetTo (not .Values.hub.offline) }}
- to:
    {{- toYaml $policy.internetTo | nindent 4 }}
  ports: [{port: 443, protocol: TCP}]
{{- end }}
{{- with $policy.moreEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rdiverse.milvusPort" -}}
{{- regexFind ":[0-9]+$" (urlParse .Values.milvus.external.uri).host | trimPrefix ":" | default "19530" -}}
{{- end }}
