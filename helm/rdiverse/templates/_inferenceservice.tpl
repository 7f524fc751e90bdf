{{/*
An InferenceService. Dict: root, component (coder, encoder, policy), of (its values), args (of `rdiverse`).
minReplicas and maxReplicas are left to the runs, which scale by phase: an upgrade must not undo that.
KServe copies labels and annotations into the pod template, so that one with a version would restart every replica at an upgrade.
*/}}
{{- define "rdiverse.inferenceService" -}}
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {{ .root.Release.Name }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rdiverse.selector" . | nindent 4 }}
    {{- with .root.Values.serverLabels }}{{ toYaml . | nindent 4 }}{{ end }}
    networking.kserve.io/visibility: cluster-local
  annotations:
    serving.kserve.io/deploymentMode: Standard
    serving.kserve.io/autoscalerClass: none
spec:
  predictor:
    labels:
      {{- include "rdiverse.podLabels" . | nindent 6 }}
    annotations:
      {{- if eq .component "policy" }}
      rdiverse.dev/weights: ""
      {{- else }}
      rdiverse.dev/config: {{ include "rdiverse.config" .root | sha256sum | trunc 16 | quote }}
      {{- end }}
    # A GPU is free when the old pod has gone, which no rolling update waits for; and with maxUnavailable 1 a Deployment of one
    # replica is available, and the InferenceService ready, without any pod.
    deploymentStrategy: {type: Recreate}
    {{- include "rdiverse.podSpec" . | nindent 4 }}
    serviceAccountName: {{ .of.serviceAccountName | default (printf "%s-server" .root.Release.Name) }}
    terminationGracePeriodSeconds: 60
    containers:
      - name: kserve-container
        {{- include "rdiverse.container" (merge (dict "use" "inference") .) | nindent 8 }}
        args:
          {{- range .args }}
          - {{ . | quote }}
          {{- end }}
        # h2c alone: beside a second port the gateway sends gRPC astray. Metrics are on 9100, undeclared.
        ports: [{name: h2c, containerPort: 9000, protocol: TCP}]
        env:
          {{- include "rdiverse.env" (merge (dict "certificates" "/etc/rdiverse/tls") .) | nindent 10 }}
          {{- include "rdiverse.hubEnv" . | nindent 10 }}
          {{- if not .root.Values.reflection }}
          - {name: RDIVERSE_REFLECTION, value: "off"}
          {{- end }}
          {{- with .of.storageUri }}
          - {name: STORAGE_URI, value: {{ . | quote }}}
          {{- end }}
        resources:
          {{- include "rdiverse.resources" . | nindent 10 }}
        {{- include "rdiverse.serverProbes" (merge (dict "startupSeconds" .of.startupSeconds) .) | nindent 8 }}
        volumeMounts:
          {{- include "rdiverse.modelMounts" . | nindent 10 }}
          {{- with include "rdiverse.tlsMount" . | trim }}{{ . | nindent 10 }}{{ end }}
          {{- if ne .component "policy" }}
          - {name: config, mountPath: /etc/rdiverse/config, readOnly: true}
          {{- end }}
    volumes:
      {{- include "rdiverse.modelVolumes" . | nindent 6 }}
      {{- with include "rdiverse.tlsVolume" . | trim }}{{ . | nindent 6 }}{{ end }}
      {{- if ne .component "policy" }}
      - {name: config, configMap: {name: {{ .root.Release.Name }}-config}}
      {{- end }}
{{- end }}

{{/* The headless Service by which clients find and balance over such a server's pods. */}}
{{- define "rdiverse.headlessService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .root.Release.Name }}-{{ .component }}-headless
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rdiverse.labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector:
    {{- include "rdiverse.selector" . | nindent 4 }}
  ports:
    - {{ include "rdiverse.grpcPort" . }}
{{- end }}

{{- define "rdiverse.grpcPort" -}}
{name: grpc, port: 9000, targetPort: 9000, protocol: TCP, appProtocol: {{ ternary "https" "kubernetes.io/h2c" .root.Values.tls.enabled }}}
{{- end }}

{{/* Arguments of `rdiverse`. Dict: role, config, weights (empty: the configured model). */}}
{{- define "rdiverse.serveArgs" -}}
{{- $args := list "serve" .role "--config" .config "--listen" "0.0.0.0:9000" "--metrics-port" "9100" -}}
{{- if .weights }}{{ $args = concat $args (list "--weights" .weights) }}{{ end -}}
{{ toJson $args }}
{{- end }}
