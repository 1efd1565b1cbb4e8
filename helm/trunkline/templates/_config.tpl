{{/* What the values mean for the gateway: facts that several objects share, and its configuration file. */}}

{{/* One pod a node: yes or nothing. */}}
{{- define "trunkline.perNode" -}}
{{- if has .Values.exposure.mode (list "hostNetwork" "hostPort" "nodePort") -}}yes{{- end -}}
{{- end -}}

{{/* CPUs of a quantity, rounded up. */}}
{{- define "trunkline.cpus" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}
{{- divf (trimSuffix "m" $text | float64) 1000.0 | ceil | int -}}
{{- else -}}
{{- float64 $text | ceil | int -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.workers" -}}
{{- $limits := default dict .Values.resources.limits -}}
{{- $requests := default dict .Values.resources.requests -}}
{{- if .Values.media.workers -}}
{{- int .Values.media.workers -}}
{{- else if $limits.cpu -}}
{{- include "trunkline.cpus" $limits.cpu -}}
{{- else if $requests.cpu -}}
{{- include "trunkline.cpus" $requests.cpu -}}
{{- else -}}
1
{{- end -}}
{{- end -}}

{{/* Where an advertised address comes from: (list $ address) */}}
{{- define "trunkline.source" -}}
{{- $mode := (index . 0).Values.exposure.mode -}}
{{- $address := index . 1 -}}
{{- if $address.source -}}
{{- $address.source -}}
{{- else if or $address.value $address.perPod -}}
static
{{- else if eq $mode "loadBalancer" -}}
service
{{- else if ne $mode "clusterIP" -}}
nodeIP
{{- end -}}
{{- end -}}

{{/* Whether it must be found by the init container: (list $ address) */}}
{{- define "trunkline.discovered" -}}
{{- $source := include "trunkline.source" . -}}
{{- if or (has $source (list "nodeExternalIP" "nodeLabel" "service" "cloud" "stun")) (and (eq $source "static") (index . 1).perPod) -}}yes{{- end -}}
{{- end -}}

{{- define "trunkline.discovers" -}}
{{- include "trunkline.discovered" (list . .Values.address.signaling) -}}
{{- include "trunkline.discovered" (list . .Values.address.media) -}}
{{- end -}}

{{/* Sources in use, as words with spaces around. */}}
{{- define "trunkline.sources" -}}
{{ printf " %s " (include "trunkline.source" (list . .Values.address.signaling)) }}{{ printf " %s " (include "trunkline.source" (list . .Values.address.media)) }}
{{- end -}}

{{- define "trunkline.tlsOn" -}}
{{- if or .existingSecret .certManager.enabled -}}yes{{- end -}}
{{- end -}}

{{/* The WebSocket listener without TLS: beside one with TLS only for who ends TLS before it. */}}
{{- define "trunkline.plainOn" -}}
{{- $needed := or .Values.ingress.enabled .Values.gateway.httpRoute.enabled (not (include "trunkline.tlsOn" .Values.tls.websocket)) -}}
{{- if and .Values.ports.websocket $needed -}}yes{{- end -}}
{{- end -}}

{{/* A secret's folder in the pod. */}}
{{- define "trunkline.secretFolder" -}}
/etc/trunkline/secrets/{{ . }}
{{- end -}}

{{/* HOST:PORT with brackets where the family has them: (list $ host port) */}}
{{- define "trunkline.endpoint" -}}
{{- $host := index . 1 -}}
{{- if eq (index . 0).Values.address.family "IPv6" -}}[{{ $host }}]{{- else -}}{{ $host }}{{- end -}}:{{ int (index . 2) }}
{{- end -}}

{{- define "trunkline.loopback" -}}
{{- if eq .Values.address.family "IPv6" -}}::1{{- else -}}127.0.0.1{{- end -}}
{{- end -}}

{{/* The port that trunks are told: (list $ key port nodePort) */}}
{{- define "trunkline.toldPort" -}}
{{- $root := index . 0 -}}
{{- $own := get $root.Values.address.signaling (index . 1) -}}
{{- if $own -}}
{{- int $own -}}
{{- else if and (eq $root.Values.exposure.mode "nodePort") (index . 3) -}}
{{- int (index . 3) -}}
{{- else -}}
{{- int (index . 2) -}}
{{- end -}}
{{- end -}}

{{/* tls: of a listener, as YAML: role's values and name (list values role) */}}
{{- define "trunkline.tlsFiles" -}}
{{- $folder := printf "/etc/trunkline/tls/%s" (index . 1) -}}
certificate: {{ $folder }}/tls.crt
key: {{ $folder }}/tls.key
{{- with (index . 0).clientCA }}
{{- if or .secretName .configMapName }}
client_ca: {{ $folder }}-clients/{{ .key }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Replaces NAMESecretRef of an entry by NAME_file: (list entry NAME) */}}
{{- define "trunkline.useSecret" -}}
{{- $entry := index . 0 -}}
{{- $reference := printf "%sSecretRef" (index . 1) -}}
{{- if hasKey $entry $reference -}}
{{- $from := get $entry $reference -}}
{{- $_ := set $entry (printf "%s_file" (index . 1)) (printf "%s/%s" (include "trunkline.secretFolder" $from.name) $from.key) -}}
{{- $_ := unset $entry $reference -}}
{{- end -}}
{{- end -}}

{{/* Every secret that the configuration refers to, once, as a YAML list of names. */}}
{{- define "trunkline.secrets" -}}
{{- $names := dict -}}
{{- range concat (default list .Values.config.users) (default list .Values.config.trunks) -}}
{{- with .passwordSecretRef }}{{ $_ := set $names .name true }}{{ end -}}
{{- end -}}
{{- with (default dict .Values.config.credentials).secretSecretRef }}{{ $_ := set $names .name true }}{{ end -}}
{{- if .Values.redis.enabled }}{{ with (default dict .Values.redis.urlSecretRef).name }}{{ $_ := set $names . true }}{{ end }}{{ end -}}
{{- range .Values.grpc.tokens }}{{ $_ := set $names .tokenSecretRef.name true }}{{ end -}}
{{- keys $names | sortAlpha | toYaml -}}
{{- end -}}

{{- define "trunkline.listen" -}}
{{- $pod := "${POD_IP}" -}}
{{- $sip := .Values.address.signaling.bind | default $pod -}}
websocket:
  {{- if include "trunkline.plainOn" . }}
  - bind: {{ include "trunkline.endpoint" (list $ $pod .Values.ports.websocket) | quote }}
  {{- end }}
  {{- if include "trunkline.tlsOn" .Values.tls.websocket }}
  - bind: {{ include "trunkline.endpoint" (list $ $pod .Values.ports.websocketTls) | quote }}
    tls:
      {{- include "trunkline.tlsFiles" (list .Values.tls.websocket "websocket") | nindent 6 }}
  {{- end }}
sip:
  {{- range .Values.sip.transports }}
  - transport: {{ . }}
    bind: {{ include "trunkline.endpoint" (list $ $sip $.Values.ports.sip) | quote }}
    advertise: {{ include "trunkline.endpoint" (list $ "${SIGNALING_ADDRESS}" (include "trunkline.toldPort" (list $ "port" $.Values.ports.sip $.Values.exposure.nodePort.sip))) | quote }}
  {{- end }}
  {{- if include "trunkline.tlsOn" .Values.tls.sip }}
  - transport: tls
    bind: {{ include "trunkline.endpoint" (list $ $sip .Values.ports.sipTls) | quote }}
    advertise: {{ include "trunkline.endpoint" (list $ "${SIGNALING_ADDRESS}" (include "trunkline.toldPort" (list $ "tlsPort" .Values.ports.sipTls .Values.exposure.nodePort.sipTls))) | quote }}
    tls:
      {{- include "trunkline.tlsFiles" (list .Values.tls.sip "sip") | nindent 6 }}
  {{- end }}
{{- if .Values.grpc.enabled }}
grpc:
  {{- if .Values.grpc.expose }}
  bind: {{ include "trunkline.endpoint" (list . $pod .Values.ports.grpc) | quote }}
  tls:
    {{- include "trunkline.tlsFiles" (list .Values.tls.grpc "grpc") | nindent 4 }}
  {{- else }}
  bind: {{ include "trunkline.endpoint" (list . (include "trunkline.loopback" .) .Values.ports.grpc) | quote }}
  {{- end }}
  {{- with .Values.grpc.tokens }}
  tokens:
    {{- range . }}
    - name: {{ .name | quote }}
      token_file: {{ include "trunkline.secretFolder" .tokenSecretRef.name }}/{{ .tokenSecretRef.key }}
      roles: {{ toJson .roles }}
    {{- end }}
  {{- end }}
  {{- with .Values.grpc.clients }}
  clients:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.grpc.limits }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
admin:
  bind: {{ include "trunkline.endpoint" (list . (include "trunkline.adminAddress" .) .Values.ports.admin) | quote }}
{{- end -}}

{{/* kubectl port-forward comes to the loopback of the pod, which is the node's under hostNetwork. */}}
{{- define "trunkline.adminAddress" -}}
{{- if eq .Values.exposure.mode "hostNetwork" -}}${POD_IP}
{{- else if eq .Values.address.family "IPv6" -}}::
{{- else -}}0.0.0.0
{{- end -}}
{{- end -}}

{{/* The configuration file. */}}
{{- define "trunkline.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range concat (default list $config.users) (default list $config.trunks) -}}
{{- include "trunkline.useSecret" (list . "password") -}}
{{- end -}}
{{- with $config.credentials }}{{ include "trunkline.useSecret" (list . "secret") }}{{ end -}}
{{- $media := default dict $config.media -}}
{{- $_ := set $media "bind" (.Values.address.media.bind | default "${POD_IP}") -}}
{{- $_ := set $media "advertise" "${MEDIA_ADDRESS}" -}}
{{- $_ := set $media "workers" (include "trunkline.workers" . | int) -}}
{{- $_ := set $media "webrtc_port" (int .Values.ports.webrtc) -}}
{{- $_ := set $media "rtp_ports" (printf "%d-%d" (int .Values.ports.rtp.first) (int .Values.ports.rtp.last)) -}}
{{- $_ := set $config "media" $media -}}
{{- $_ := set $config "node" "${POD_NAME}" -}}
{{- $_ := set $config "listen" (include "trunkline.listen" . | fromYaml) -}}
{{- $_ := set $config "drain" (dict "timeout" (printf "%ds" (int .Values.drain.timeoutSeconds)) "spread" (printf "%ds" (int .Values.drain.spreadSeconds))) -}}
{{- if .Values.redis.enabled -}}
{{- $redis := .Values.redis -}}
{{- $store := dict "type" "redis" "node_address" (include "trunkline.endpoint" (list . (.Values.address.signaling.bind | default "${POD_IP}") .Values.ports.sip)) -}}
{{- if $redis.url -}}
{{- $_ := set $store "url" $redis.url -}}
{{- else -}}
{{- $_ := set $store "url_file" (printf "%s/%s" (include "trunkline.secretFolder" $redis.urlSecretRef.name) $redis.urlSecretRef.key) -}}
{{- end -}}
{{- $_ := set $config "store" $store -}}
{{- end -}}
{{- if .Values.cdr.enabled -}}
{{- $cdr := default dict $config.cdr -}}
{{- $_ := set $config "cdr" (set $cdr "path" "/var/lib/trunkline/calls.jsonl") -}}
{{- end -}}
{{- $_ := set $config "web" (dict "phone" .Values.webPhone.enabled) -}}
{{- toYaml $config -}}
{{- end -}}
