{{/* PodTemplateSpec of a trainer. Command, arguments and addresses are added by the run. */}}
{{- define "rdiverse.trainer" -}}
metadata:
  labels:
    {{- include "rdiverse.podLabels" . | nindent 4 }}
spec:
  {{- include "rdiverse.podSpec" . | nindent 2 }}
  serviceAccountName: {{ .root.Release.Name }}-server
  containers:
    - name: pytorch
      {{- include "rdiverse.container" (merge (dict "use" "training") .) | nindent 6 }}
      env:
        {{- include "rdiverse.clientEnv" . | nindent 8 }}
        {{- include "rdiverse.hubEnv" . | nindent 8 }}
      resources:
        {{- include "rdiverse.resources" . | nindent 8 }}
      volumeMounts:
        {{- include "rdiverse.modelMounts" . | nindent 8 }}
        - {name: client, mountPath: /etc/rdiverse/client, readOnly: true}
  volumes:
    {{- include "rdiverse.modelVolumes" . | nindent 4 }}
    {{- include "rdiverse.clientVolume" . | nindent 4 }}
{{- end }}
