{{/* The diversity service's container and pod, as the writer and as a read replica. Dict: root, component, of. */}}

{{- define "rdiverse.diversityContainer" -}}
- name: diversity
  {{- include "rdiverse.container" (merge (dict "use" "diversity") .) | nindent 2 }}
  args: {{ include "rdiverse.serveArgs" (dict "role" "diversity" "config" "/etc/rdiverse/config/config.yaml" "weights" "") }}
  ports:
    - {name: grpc, containerPort: 9000, protocol: TCP}
    - {name: metrics, containerPort: 9100, protocol: TCP}
  env:
    {{- include "rdiverse.env" (merge (dict "certificates" "/etc/rdiverse/tls") .) | nindent 4 }}
    {{- include "rdiverse.diversityEnv" . | nindent 4 }}
  resources:
    {{- include "rdiverse.resources" . | nindent 4 }}
  {{- include "rdiverse.serverProbes" (merge (dict "startupSeconds" 300) .) | nindent 2 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: data, mountPath: /data}
    - {name: config, mountPath: /etc/rdiverse/config, readOnly: true}
    {{- with include "rdiverse.tlsMount" . | trim }}{{ . | nindent 4 }}{{ end }}
    {{- range $name, $secret := include "rdiverse.diversitySecrets" .root | fromYaml }}
    - {name: {{ $name }}, mountPath: /etc/rdiverse/{{ $name }}, readOnly: true}
    {{- end }}
{{- end }}

{{- define "rdiverse.diversityEnv" -}}
- {name: RDIVERSE_CACHE_DIR, value: /data/cache}
- {name: RDIVERSE_CODER_ADDRESS, value: {{ include "rdiverse.address" (dict "root" .root "service" "coder-headless") | quote }}}
{{- if include "rdiverse.hasEncoder" .root }}
- {name: RDIVERSE_ENCODER_ADDRESS, value: {{ include "rdiverse.address" (dict "root" .root "service" "encoder-headless") | quote }}}
{{- end }}
- {name: RDIVERSE_MILVUS_URI, value: {{ include "rdiverse.milvusUri" .root | quote }}}
{{- range $name, $secret := include "rdiverse.diversitySecrets" .root | fromYaml }}
- {name: {{ $secret.variable }}, value: {{ printf "/etc/rdiverse/%s/%s" $name $secret.key | quote }}}
{{- end }}
{{- if eq .component "diversity-read" }}
- {name: RDIVERSE_DIVERSITY_WRITER_ADDRESS, value: {{ include "rdiverse.address" (dict "root" .root "service" "diversity") | quote }}}
{{- end }}
{{- if not .root.Values.reflection }}
- {name: RDIVERSE_REFLECTION, value: "off"}
{{- end }}
{{- end }}

{{/* Secrets that the service reads: folder -> Secret, key and the variable that names the file. */}}
{{- define "rdiverse.diversitySecrets" -}}
{{- with .Values.auth.tokensSecret }}
{{- if .name }}
tokens: {name: {{ .name }}, key: {{ .key }}, variable: RDIVERSE_TOKENS_FILE}
{{- end }}
{{- end }}
{{- if not .Values.milvus.embedded.enabled }}
{{- with .Values.milvus.external.tokenSecret }}
{{- if .name }}
milvus: {name: {{ .name }}, key: {{ .key }}, variable: RDIVERSE_MILVUS_TOKEN_FILE}
{{- end }}
{{- end }}
{{- with .Values.milvus.external.caSecret }}
{{- if .name }}
milvus-ca: {name: {{ .name }}, key: {{ .key }}, variable: RDIVERSE_MILVUS_CA_FILE}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "rdiverse.diversityVolumes" -}}
- {name: tmp, emptyDir: {}}
- {name: config, configMap: {name: {{ .root.Release.Name }}-config}}
{{- include "rdiverse.tlsVolume" . }}
{{- range $name, $secret := include "rdiverse.diversitySecrets" .root | fromYaml }}
- {name: {{ $name }}, secret: {secretName: {{ $secret.name }}, defaultMode: 0440, items: [{key: {{ $secret.key }}, path: {{ $secret.key }}}]}}
{{- end }}
{{- end }}

{{/* Milvus Lite beside the writer, for it alone. */}}
{{- define "rdiverse.milvusLite" -}}
- name: milvus
  {{- include "rdiverse.container" (merge (dict "use" "diversity") .) | nindent 2 }}
  command: [python, -m, rdiverse.diversity.memory.milvus_lite]
  args: [--data-dir, /data/milvus, --host, 127.0.0.1, --port, "19530"]
  env:
    - {name: HOME, value: /tmp}
  resources:
    {{- include "rdiverse.resources" (dict "root" .root "of" .root.Values.milvus.embedded) | nindent 4 }}
  # On loopback, where the kubelet's own probes do not reach.
  livenessProbe:
    exec: {command: [python, -c, "import socket; socket.create_connection(('127.0.0.1', 19530), 5)"]}
    initialDelaySeconds: 30
    periodSeconds: 20
    timeoutSeconds: 10
    failureThreshold: 6
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: data, mountPath: /data}
{{- end }}

{{- define "rdiverse.diversityService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .root.Release.Name }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rdiverse.labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector:
    {{- include "rdiverse.selector" . | nindent 4 }}
  ports:
    - {{ include "rdiverse.grpcPort" . }}
    - {name: metrics, port: 9100, targetPort: 9100, protocol: TCP}
{{- end }}
