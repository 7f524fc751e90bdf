{{/* What the schema cannot say: values that contradict each other. Rendered first, by configmap.yaml. */}}
{{- define "rdiverse.checks" -}}
{{- $values := .Values -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$" .Release.Name) -}}
{{- fail (printf "release name %s: must begin with a letter and have at most 32 characters, as names of runs are added to it" .Release.Name) -}}
{{- end -}}
{{- $server := ternary "encoder" "coder" (eq (include "rdiverse.hasEncoder" .) "true") -}}
{{- $host := printf "%s-%s-predictor-%s" .Release.Name $server .Release.Namespace -}}
{{- if gt (len $host) 63 -}}
{{- fail (printf "release name %s: KServe makes the host name %s of it, %d characters of 63; take a shorter release name or namespace" .Release.Name $host (len $host)) -}}
{{- end -}}
{{- if not $values.image.prefix -}}
{{- fail "image.prefix: is empty. No images are published: build them with services/Dockerfile, push them to a registry of yours, and name it, as in --set image.prefix=registry.example.com/team" -}}
{{- end -}}
{{- include "rdiverse.checks.milvus" . -}}
{{- include "rdiverse.checks.engine" . -}}
{{- include "rdiverse.checks.plan" . -}}
{{- include "rdiverse.checks.tls" . -}}
{{- include "rdiverse.checks.resources" . -}}
{{- with $values.diversity.read -}}
{{- if and .autoscaling.enabled (lt (int .autoscaling.maxReplicas) (int .replicas)) -}}
{{- fail (printf "diversity.read.autoscaling.maxReplicas: is %d, less than diversity.read.replicas = %d" (int .autoscaling.maxReplicas) (int .replicas)) -}}
{{- end -}}
{{- if and .autoscaling.enabled (eq (int .replicas) 0) -}}
{{- fail "diversity.read.autoscaling.enabled: needs diversity.read.replicas of at least 1, the lower bound" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "rdiverse.checks.milvus" -}}
{{- $milvus := .Values.milvus -}}
{{- if and $milvus.embedded.enabled $milvus.external.uri -}}
{{- fail "milvus.embedded.enabled: is true, and milvus.external.uri names another Milvus; choose one" -}}
{{- end -}}
{{- if not (or $milvus.embedded.enabled $milvus.external.uri) -}}
{{- fail "milvus.external.uri: is empty; name a Milvus, as in http://milvus.milvus.svc:19530, or set milvus.embedded.enabled" -}}
{{- end -}}
{{- if and $milvus.external.caSecret.name (not (hasPrefix "https://" $milvus.external.uri)) -}}
{{- fail "milvus.external.caSecret.name: is of use only where milvus.external.uri begins with https://" -}}
{{- end -}}
{{- if and $milvus.embedded.enabled (gt (int .Values.diversity.read.replicas) 0) -}}
{{- fail "diversity.read.replicas: read replicas need an external Milvus; Milvus Lite (milvus.embedded.enabled) answers in its own pod only" -}}
{{- end -}}
{{- end }}

{{- define "rdiverse.checks.engine" -}}
{{- $inference := .Values.config.inference -}}
{{- range $name := list "coder" "encoder" "policy" -}}
{{- $gpus := int (index $.Values $name).gpus -}}
{{- if and (eq $inference.engine "vllm") (ne $gpus (int ($inference.tensor_parallel_size | default 1))) (ne $name "policy") -}}
{{- fail (printf "%s.gpus: is %d, but config.inference has engine vllm with tensor_parallel_size %d" $name $gpus (int ($inference.tensor_parallel_size | default 1))) -}}
{{- end -}}
{{- if and (eq $inference.engine "transformers") (gt $gpus 0) -}}
{{- fail (printf "%s.gpus: is %d, but config.inference.engine transformers computes on CPUs" $name $gpus) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Phases, what each cannot do without, and what it may take. */}}
{{- define "rdiverse.checks.plan" -}}
{{- $needs := dict "train-challenger" (list "trainer" "solver" "coder") "propose" (list "challenger") "label" (list "solver") "curate" (list "coder") "train-solver" (list "trainer") "evaluate" (list "solver") "rest" list -}}
{{- $each := dict "trainer" .Values.trainer "challenger" .Values.policy "solver" .Values.policy "coder" .Values.coder "encoder" .Values.encoder -}}
{{- $hasEncoder := include "rdiverse.hasEncoder" . -}}
{{- range $phase, $shares := .Values.plan -}}
{{- $needed := 0 -}}
{{- range $name, $count := $shares -}}
{{- $needed = add $needed (mul (int $count) (int (index $each $name).gpus)) -}}
{{- end -}}
{{- if gt (int $needed) (int $.Values.gpus) -}}
{{- fail (printf "plan.%s: takes %d GPUs of %d (gpus)" $phase (int $needed) (int $.Values.gpus)) -}}
{{- end -}}
{{- if and (not $hasEncoder) (gt (int $shares.encoder) 0) -}}
{{- fail (printf "plan.%s.encoder: is %d, but config.encoder.kind structural has no server" $phase (int $shares.encoder)) -}}
{{- end -}}
{{- $wanted := index $needs $phase -}}
{{- if and $hasEncoder (has "coder" $wanted) }}{{ $wanted = append $wanted "encoder" }}{{ end -}}
{{- range $wanted -}}
{{- if not (index $shares .) -}}
{{- fail (printf "plan.%s.%s: is 0, and the phase cannot do without" $phase .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "rdiverse.checks.tls" -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.certManager.enabled (not $tls.enabled) -}}
{{- fail "tls.certManager.enabled: is true, but tls.enabled is false" -}}
{{- end -}}
{{- if and $tls.certManager.enabled $tls.secretName -}}
{{- fail "tls.secretName: names a Secret of yours, and tls.certManager.enabled would make one; choose one" -}}
{{- end -}}
{{- if and $tls.certManager.enabled (not $tls.certManager.issuer.name) -}}
{{- fail "tls.certManager.issuer.name: is empty; name the issuer that signs" -}}
{{- end -}}
{{- if and $tls.certManager.enabled .Values.clientSecret -}}
{{- fail "clientSecret: names a Secret of yours, and tls.certManager.enabled would make one; choose one" -}}
{{- end -}}
{{- end }}

{{/* Of the resources as they are rendered: with the limits that the values leave open. */}}
{{- define "rdiverse.checks.resources" -}}
{{- $sections := dict "coder" .Values.coder "policy" .Values.policy "trainer" .Values.trainer "diversity" .Values.diversity -}}
{{- if include "rdiverse.hasEncoder" . }}{{ $_ := set $sections "encoder" .Values.encoder }}{{ end -}}
{{- if .Values.milvus.embedded.enabled }}{{ $_ := set $sections "milvus.embedded" .Values.milvus.embedded }}{{ end -}}
{{- range $path, $of := $sections -}}
{{- $resources := include "rdiverse.resources" (dict "root" $ "of" $of) | fromYaml -}}
{{- range $what, $request := $resources.requests -}}
{{- $limit := index $resources.limits $what | default $request -}}
{{- if gt (include "rdiverse.thousandths" $request | float64) (include "rdiverse.thousandths" $limit | float64) -}}
{{- $from := ternary "nodeCPUs" (printf "%s.resources.limits.%s" $path $what) (and (eq $what "cpu") (not (hasKey $of.resources.limits "cpu"))) -}}
{{- fail (printf "%s.resources.requests.%s: is %v, more than the limit of %v (%s)" $path $what $request $limit $from) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A Kubernetes quantity in thousandths of its unit. */}}
{{- define "rdiverse.thousandths" -}}
{{- $number := regexFind "^[0-9.]+" (toString .) -}}
{{- $each := dict "" 1e3 "m" 1 "k" 1e6 "M" 1e9 "G" 1e12 "T" 1e15 "P" 1e18 "E" 1e21 "Ki" 1024e3 "Mi" 1048576e3 "Gi" 1073741824e3 "Ti" 1099511627776e3 "Pi" 1125899906842624e3 "Ei" 1152921504606846976e3 -}}
{{- mulf (float64 $number) (index $each (toString . | trimPrefix $number)) -}}
{{- end }}
