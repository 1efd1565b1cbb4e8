{{/* The pod: the same of all kinds. */}}

{{- define "trunkline.env" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: HOST_IP
  valueFrom: { fieldRef: { fieldPath: status.hostIP } }
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- range $role, $name := dict "signaling" "SIGNALING_ADDRESS" "media" "MEDIA_ADDRESS" }}
{{- $address := get $.Values.address $role }}
{{- $source := include "trunkline.source" (list $ $address) }}
{{- if and (eq $source "static") $address.value }}
- name: {{ $name }}
  value: {{ $address.value | quote }}
{{- else if has $source (list "nodeIP" "podIP") }}
- name: {{ $name }}
  valueFrom: { fieldRef: { fieldPath: {{ ternary "status.hostIP" "status.podIP" (eq $source "nodeIP") }} } }
{{- end }}
{{- end }}
{{- end -}}

{{/* What files/discover.py is to find, for each variable of the configuration. */}}
{{- define "trunkline.discoveries" -}}
{{- $all := dict -}}
{{- $discovery := .Values.address.discovery -}}
{{- range $role, $name := dict "signaling" "SIGNALING_ADDRESS" "media" "MEDIA_ADDRESS" -}}
{{- $address := get $.Values.address $role -}}
{{- if include "trunkline.discovered" (list $ $address) -}}
{{- $source := include "trunkline.source" (list $ $address) -}}
{{- $wanted := dict "source" $source "family" $.Values.address.family -}}
{{- if eq $source "static" }}{{ $_ := set $wanted "perPod" $address.perPod }}{{ end -}}
{{- if eq $source "stun" }}{{ $_ := set $wanted "servers" $discovery.stunServers }}{{ end -}}
{{- if eq $source "cloud" }}{{ $_ := set $wanted "provider" $discovery.cloudProvider }}{{ end -}}
{{- if eq $source "nodeLabel" }}{{ $_ := set $wanted "label" $discovery.nodeLabel }}{{ end -}}
{{- if eq $source "service" -}}
{{- $_ := set $wanted "service" (printf "%s-direct" (include "trunkline.fullname" $)) -}}
{{- $_ := set $wanted "perPod" (eq $.Values.kind "StatefulSet") -}}
{{- end -}}
{{- if has $source (list "nodeExternalIP" "cloud" "stun") }}{{ $_ := set $wanted "public" (not $discovery.allowPrivate) }}{{ end -}}
{{- $_ := set $all $name $wanted -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{/* Whether the scripts ask the Kubernetes API. */}}
{{- define "trunkline.asksKubernetes" -}}
{{- $sources := include "trunkline.sources" . -}}
{{- if or (contains " nodeExternalIP " $sources) (contains " nodeLabel " $sources) (contains " service " $sources) .Values.podDeletionCost.enabled -}}yes{{- end -}}
{{- end -}}

{{- define "trunkline.tool" -}}
image: {{ include "trunkline.image" (list . .Values.tools.image "") }}
imagePullPolicy: {{ .Values.tools.image.pullPolicy }}
resources:
  {{- toYaml .Values.tools.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}

{{- define "trunkline.discoverContainer" -}}
name: discover-address
{{ include "trunkline.tool" . }}
command: [python3, -B, /scripts/discover.py, /run/trunkline/variables]
env:
  {{- include "trunkline.env" . | nindent 2 }}
  - name: DISCOVER
    value: {{ include "trunkline.discoveries" . | quote }}
  - name: TIMEOUT_SECONDS
    value: {{ int .Values.address.discovery.timeoutSeconds | quote }}
volumeMounts:
  - { name: run, mountPath: /run/trunkline }
  - { name: scripts, mountPath: /scripts, readOnly: true }
  {{- if include "trunkline.asksKubernetes" . }}
  - { name: kubernetes, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
  {{- end }}
{{- end -}}

{{- define "trunkline.deletionCostContainer" -}}
name: deletion-cost
{{ include "trunkline.tool" . }}
command: [python3, -B, /scripts/deletion_cost.py]
env:
  {{- include "trunkline.env" . | nindent 2 }}
  - name: METRICS_URL
    value: "http://{{ include "trunkline.endpoint" (list . "$(POD_IP)" .Values.ports.admin) }}/metrics"
  - name: PERIOD_SECONDS
    value: {{ int .Values.podDeletionCost.periodSeconds | quote }}
volumeMounts:
  - { name: scripts, mountPath: /scripts, readOnly: true }
  - { name: kubernetes, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end -}}

{{- define "trunkline.probe" -}}
httpGet: { path: {{ index . 1 }}, port: admin }
{{ toYaml (index . 0) }}
{{- end -}}

{{- define "trunkline.gatewayContainer" -}}
name: trunkline
image: {{ include "trunkline.image" (list . .Values.image .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - --config
  - /etc/trunkline/config/trunkline.yaml
  {{- if include "trunkline.discovers" . }}
  - --variables
  - /run/trunkline/variables
  {{- end }}
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  {{- include "trunkline.env" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or .Values.existingSecret .Values.extraEnvFrom }}
envFrom:
  {{- with .Values.existingSecret }}
  - secretRef: { name: {{ . }} }
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
ports:
  {{- range (include "trunkline.ports" . | fromYaml).ports }}
  - name: {{ .name }}
    containerPort: {{ int .port }}
    protocol: {{ .protocol }}
    {{- if and (eq $.Values.exposure.mode "hostPort") (ne .what "admin") (ne .what "grpc") }}
    hostPort: {{ int .port }}
    {{- end }}
  {{- end }}
startupProbe:
  {{- include "trunkline.probe" (list .Values.probes.startup "/healthz") | nindent 2 }}
livenessProbe:
  {{- include "trunkline.probe" (list .Values.probes.liveness "/healthz") | nindent 2 }}
readinessProbe:
  {{- include "trunkline.probe" (list .Values.probes.readiness "/readyz") | nindent 2 }}
{{- if include "trunkline.preStopSleep" . }}
lifecycle:
  preStop: { sleep: { seconds: {{ int .Values.drain.preStopSleepSeconds }} } }
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - { name: config, mountPath: /etc/trunkline/config, readOnly: true }
  {{- if include "trunkline.discovers" . }}
  - { name: run, mountPath: /run/trunkline, readOnly: true }
  {{- end }}
  {{- if .Values.cdr.enabled }}
  - { name: cdr, mountPath: /var/lib/trunkline }
  {{- end }}
  {{- range include "trunkline.secrets" . | fromYamlArray }}
  - { name: {{ include "trunkline.volume" (list "secret" .) }}, mountPath: {{ include "trunkline.secretFolder" . }}, readOnly: true }
  {{- end }}
  {{- range $role := list "websocket" "sip" "grpc" }}
  {{- $tls := get $.Values.tls $role }}
  {{- if include "trunkline.tlsOn" $tls }}
  - { name: tls-{{ $role }}, mountPath: /etc/trunkline/tls/{{ $role }}, readOnly: true }
  {{- with $tls.clientCA }}
  {{- if or .secretName .configMapName }}
  - { name: tls-{{ $role }}-clients, mountPath: /etc/trunkline/tls/{{ $role }}-clients, readOnly: true }
  {{- end }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* preStop sleep is there since Kubernetes 1.30. */}}
{{- define "trunkline.preStopSleep" -}}
{{- if and .Values.drain.preStopSleepSeconds (semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version) -}}yes{{- end -}}
{{- end -}}

{{/* A volume's name of at most 63 characters: (list prefix name) */}}
{{- define "trunkline.volume" -}}
{{ index . 0 }}-{{ index . 1 | sha256sum | trunc 12 }}
{{- end -}}

{{- define "trunkline.volumes" -}}
- name: config
  configMap: { name: {{ include "trunkline.fullname" . }} }
{{- if include "trunkline.discovers" . }}
- name: run
  emptyDir: { medium: Memory, sizeLimit: 8Mi }
{{- end }}
{{- if or (include "trunkline.discovers" .) .Values.podDeletionCost.enabled }}
- name: scripts
  configMap: { name: {{ include "trunkline.fullname" . }}-scripts }
{{- end }}
{{- if include "trunkline.asksKubernetes" . }}
- name: kubernetes
  projected:
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3600 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- if .Values.cdr.enabled }}
- name: cdr
  {{- .Values.cdr.volume | default (dict "emptyDir" (dict "sizeLimit" "2Gi")) | toYaml | nindent 2 }}
{{- end }}
{{- range include "trunkline.secrets" . | fromYamlArray }}
- name: {{ include "trunkline.volume" (list "secret" .) }}
  secret: { secretName: {{ . }} }
{{- end }}
{{- range $role := list "websocket" "sip" "grpc" }}
{{- $tls := get $.Values.tls $role }}
{{- if include "trunkline.tlsOn" $tls }}
- name: tls-{{ $role }}
  secret: { secretName: {{ $tls.existingSecret | default (printf "%s-%s-tls" (include "trunkline.fullname" $) $role) }} }
{{- with $tls.clientCA }}
{{- if .secretName }}
- name: tls-{{ $role }}-clients
  secret: { secretName: {{ .secretName }} }
{{- else if .configMapName }}
- name: tls-{{ $role }}-clients
  configMap: { name: {{ .configMapName }} }
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trunkline.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- if and (include "trunkline.perNode" .) (ne .Values.kind "DaemonSet") -}}
{{- $apart := dict "labelSelector" (dict "matchLabels" (include "trunkline.podSelector" . | fromYaml)) "topologyKey" "kubernetes.io/hostname" -}}
{{- $pods := default dict $affinity.podAntiAffinity -}}
{{- $required := append (default list $pods.requiredDuringSchedulingIgnoredDuringExecution) $apart -}}
{{- $_ := set $pods "requiredDuringSchedulingIgnoredDuringExecution" $required -}}
{{- $_ := set $affinity "podAntiAffinity" $pods -}}
{{- end -}}
{{- with $affinity }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Ports below 1024 without root, in the pod's own network. */}}
{{- define "trunkline.podSecurityContext" -}}
{{- $context := deepCopy .Values.podSecurityContext -}}
{{- $lowest := 1024 -}}
{{- range (include "trunkline.ports" . | fromYaml).ports }}{{ $lowest = min $lowest (int .port) }}{{ end -}}
{{- if and (lt ($lowest | int) 1024) (ne .Values.exposure.mode "hostNetwork") -}}
{{- $sysctl := dict "name" "net.ipv4.ip_unprivileged_port_start" "value" (toString $lowest) -}}
{{- $_ := set $context "sysctls" (append (default list $context.sysctls) $sysctl) -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* The keys of the configuration that are read at the start alone. */}}
{{- define "trunkline.startConfig" -}}
{{- $config := include "trunkline.config" . | fromYaml -}}
{{- $config = omit $config "users" "trunks" "routes" "policy" "digest" "drain" -}}
{{- range $section, $live := dict "limits" (list "max_calls" "max_ended_calls" "max_registrations") "log" (list "level") "websocket" (list "allowed_origins" "grace") "credentials" (list "max_ttl") "media" (list "transcoding" "max_transcoded_calls") -}}
{{- range $key := $live -}}
{{- with get $config $section }}{{ $_ := unset . $key }}{{ end -}}
{{- end -}}
{{- if not (get $config $section) }}{{ $_ := unset $config $section }}{{ end -}}
{{- end -}}
{{- with $config.listen.grpc -}}
{{- $_ := unset . "clients" -}}
{{- $_ := unset . "tokens" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "trunkline.podAnnotations" -}}
checksum/config: {{ include (ternary "trunkline.config" "trunkline.startConfig" .Values.rollOnChange) . | sha256sum }}
{{- if .Values.drain.protectFromAutoscaler }}
cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
karpenter.sh/do-not-disrupt: "true"
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trunkline.podTemplate" -}}
metadata:
  labels:
    {{- include "trunkline.labels" . | nindent 4 }}
    app.kubernetes.io/component: gateway
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "trunkline.podAnnotations" . | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "trunkline.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .Values.drain.timeoutSeconds .Values.drain.preStopSleepSeconds 60 }}
  {{- if eq .Values.exposure.mode "hostNetwork" }}
  hostNetwork: true
  {{- end }}
  dnsPolicy: {{ .Values.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "ClusterFirst" (eq .Values.exposure.mode "hostNetwork")) }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "trunkline.podSecurityContext" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "trunkline.affinity" . }}
  affinity:
    {{- . | nindent 4 }}
  {{- end }}
  {{- if ne .Values.kind "DaemonSet" }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "trunkline.podSelector" . | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- if or (include "trunkline.discovers" .) .Values.extraInitContainers }}
  initContainers:
    {{- if include "trunkline.discovers" . }}
    - {{- include "trunkline.discoverContainer" . | nindent 6 }}
    {{- end }}
    {{- with .Values.extraInitContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - {{- include "trunkline.gatewayContainer" . | nindent 6 }}
    {{- if .Values.podDeletionCost.enabled }}
    - {{- include "trunkline.deletionCostContainer" . | nindent 6 }}
    {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "trunkline.volumes" . | nindent 4 }}
{{- end -}}
