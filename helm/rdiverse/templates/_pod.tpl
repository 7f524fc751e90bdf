{{/* Parts of pods. Each takes a dict with `root`, and says what else it needs. */}}

{{- define "rdiverse.podSecurity" -}}
runAsNonRoot: true
{{- range $field, $value := .root.Values.securityContext }}
{{- if not (kindIs "invalid" $value) }}
{{ $field }}: {{ int64 $value }}
{{- end }}
{{- end }}
{{- if not (kindIs "invalid" .root.Values.securityContext.fsGroup) }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "rdiverse.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What every pod spec begins with. `of`: a section of the values with nodeSelector, tolerations, affinity, priorityClassName. */}}
{{- define "rdiverse.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "rdiverse.podSecurity" . | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with index $.of $field }}
{{ $field }}: {{- if kindIs "string" . }} {{ . }}{{ else }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* `use`: which image. */}}
{{- define "rdiverse.container" -}}
image: {{ include "rdiverse.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- include "rdiverse.containerSecurity" . | nindent 2 }}
{{- end }}

{{/*
`of`: a section of the values with resources and, perhaps, gpus. A limit of CPUs is always written: KServe completes containers
without one by a single CPU, and the API server then refuses a request above it.
*/}}
{{- define "rdiverse.resources" -}}
{{- $resources := merge (deepCopy .of.resources) (dict "limits" (dict "cpu" (toString .root.Values.nodeCPUs))) -}}
{{- if gt (int .of.gpus) 0 -}}
{{- $_ := set $resources.limits .root.Values.gpuResource (int .of.gpus) -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}

{{/* `certificates`: folder of the certificates that this pod shows; `of`: a section with env. */}}
{{- define "rdiverse.env" -}}
# The root file system is read-only, and the user may have no entry in /etc/passwd.
- {name: HOME, value: /tmp}
- {name: USER, value: rdiverse}
- {name: RDIVERSE_LOG_FORMAT, value: json}
{{- if .root.Values.tls.enabled }}
- {name: RDIVERSE_TLS_DIR, value: {{ .certificates }}}
{{- end }}
{{- range $name, $value := .of.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* Where models named by hub id come from. */}}
{{- define "rdiverse.hubEnv" -}}
- {name: HF_HOME, value: /workspace/cache/huggingface}
{{- if .root.Values.hub.offline }}
- {name: HF_HUB_OFFLINE, value: "1"}
{{- end }}
{{- with .root.Values.hub.tokenSecret }}
{{- if .name }}
- name: HF_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- end }}

{{/* What a gRPC server's container has beside its arguments. `startupSeconds`. */}}
{{- define "rdiverse.serverProbes" -}}
startupProbe:
  {{- include "rdiverse.probe" (merge (dict "service" "liveness") .) | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: {{ max 1 (div (int .startupSeconds) 5) }}
livenessProbe:
  {{- include "rdiverse.probe" (merge (dict "service" "liveness") .) | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  {{- include "rdiverse.probe" (merge (dict "service" "") .) | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 2
# Its address is handed out for a moment after it was told to end.
lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
{{- end }}

{{/* The kubelet's gRPC probe speaks no TLS. `service`: of the health service. */}}
{{- define "rdiverse.probe" -}}
{{- if .root.Values.tls.enabled -}}
exec:
  command: [python, -m, rdiverse.grpcio_kit.probe, "127.0.0.1:9000", "--service={{ .service }}", "--name=probe.{{ .root.Release.Namespace }}.svc"]
{{- else -}}
grpc: {port: 9000, service: {{ .service | quote }}}
{{- end }}
{{- end }}

{{/* Certificates of a server. */}}
{{- define "rdiverse.tlsVolume" -}}
{{- if .root.Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "rdiverse.serverSecret" .root }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "rdiverse.tlsMount" -}}
{{- if .root.Values.tls.enabled }}
- {name: tls, mountPath: /etc/rdiverse/tls, readOnly: true}
{{- end }}
{{- end }}

{{/* Certificates and token of a client. The Secret may be missing where neither is asked for. */}}
{{- define "rdiverse.clientVolume" -}}
- name: client
  secret: {secretName: {{ include "rdiverse.clientSecret" .root }}, defaultMode: 0440, optional: {{ not (or .root.Values.tls.enabled .root.Values.auth.tokensSecret.name) }}}
{{- end }}

{{- define "rdiverse.clientEnv" -}}
{{ include "rdiverse.env" (merge (dict "certificates" "/etc/rdiverse/client") .) }}
{{- if .root.Values.auth.tokensSecret.name }}
- {name: RDIVERSE_TOKEN_FILE, value: /etc/rdiverse/client/token}
{{- end }}
{{- end }}

{{/* Workspace, /tmp and shared memory of pods that compute with models. `of`: a section with shm. */}}
{{- define "rdiverse.modelVolumes" -}}
- {name: tmp, emptyDir: {}}
- {name: shm, emptyDir: {medium: Memory, sizeLimit: {{ .of.shm }}}}
- {name: workspace, persistentVolumeClaim: {claimName: {{ include "rdiverse.workspace" .root }}}}
{{- end }}

{{- define "rdiverse.modelMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: shm, mountPath: /dev/shm}
- {name: workspace, mountPath: /workspace}
{{- end }}
