{{/* What an operator does next. */}}

{{- define "trunkline.urls" -}}
{{- $full := include "trunkline.fullname" . -}}
{{- $mode := .Values.exposure.mode -}}
{{- $told := false -}}
{{- if .Values.ingress.enabled -}}
{{- $hosts := list -}}
{{- range .Values.ingress.tls }}{{ $hosts = concat $hosts (default list .hosts) }}{{ end -}}
{{- range .Values.ingress.hosts }}
  {{ ternary "wss" "ws" (has .host $hosts) }}://{{ .host }}{{ .path | default "/" }}
{{- end -}}
{{- $told = true -}}
{{- end -}}
{{- if .Values.gateway.httpRoute.enabled -}}
{{- range .Values.gateway.httpRoute.hostnames }}
  wss://{{ . }}/      (if the Gateway ends TLS)
{{- $told = true -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.tlsRoute.enabled -}}
{{- range .Values.gateway.tlsRoute.hostnames }}
  wss://{{ . }}/
{{- $told = true -}}
{{- end -}}
{{- end -}}
{{- $secure := include "trunkline.tlsOn" .Values.tls.websocket -}}
{{- $port := ternary (int .Values.ports.websocketTls) (int (default 0 .Values.ports.websocket)) (eq $secure "yes") -}}
{{- $scheme := ternary "wss" "ws" (eq $secure "yes") -}}
{{- $name := .Values.tls.websocket.certManager.dnsNames | first -}}
{{- $kubectl := printf "kubectl -n %s" .Release.Namespace -}}
{{- if and (not $told) $port -}}
{{- if eq $mode "loadBalancer" }}
  {{ $scheme }}://{{ $name | default "ADDRESS" }}:{{ $port }}/
  {{ $name | default "ADDRESS" }} is the external address of: {{ $kubectl }} get service {{ $full }}
{{- else if eq $mode "nodePort" }}
  {{ $scheme }}://{{ $name | default "NODE" }}:{{ (ternary .Values.exposure.nodePort.websocketTls .Values.exposure.nodePort.websocket (eq $secure "yes")) | default "NODEPORT" }}/
  {{ $name | default "NODE" }} is any node; the port is in: {{ $kubectl }} get service {{ $full }}
{{- else if eq $mode "clusterIP" }}
  {{ $scheme }}://127.0.0.1:{{ $port }}/
  while this runs: {{ $kubectl }} port-forward service/{{ $full }} {{ $port }}
{{- else }}
  {{ $scheme }}://{{ $name | default "NODE" }}:{{ $port }}/
  {{ $name | default "NODE" }} is a node of: {{ $kubectl }} get pods -l app.kubernetes.io/instance={{ .Release.Name }} -o wide
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.firewall" -}}
{{- $trunks := join ", " .Values.networkPolicy.trunkCIDRs | default "your trunks" -}}
{{- range (include "trunkline.ports" . | fromYaml).ports -}}
{{- $port := .nodePort | default .port | int -}}
{{- if eq .what "websocket" }}
  {{ printf "%s %d" .protocol $port | printf "%-18s" }}{{ if and (eq .name "ws") (or $.Values.ingress.enabled $.Values.gateway.httpRoute.enabled) }}the Ingress or Gateway alone{{ else }}browsers{{ end }}
{{- else if eq .what "sip" }}
  {{ printf "%s %d" .protocol $port | printf "%-18s" }}{{ $trunks }}: SIP
{{- else if eq .what "webrtc" }}
  {{ printf "%s %d" .protocol $port | printf "%-18s" }}browsers: media{{ if eq .protocol "TCP" }}, where their network blocks UDP{{ end }}
{{- end -}}
{{- end -}}
{{- if or (has .Values.exposure.mode (list "hostNetwork" "clusterIP")) .Values.exposure.rtp }}
  {{ printf "UDP %d-%d" (int .Values.ports.rtp.first) (int .Values.ports.rtp.last) | printf "%-18s" }}{{ $trunks }}: media
{{- end }}
  {{ printf "TCP %d" (int .Values.ports.admin) | printf "%-18s" }}Prometheus alone: never from outside
{{- if and .Values.grpc.enabled .Values.grpc.expose }}
  {{ printf "TCP %d" (int .Values.ports.grpc) | printf "%-18s" }}programs that use the API
{{- end -}}
{{- end -}}

{{- define "trunkline.warnings" -}}
{{- $mode := .Values.exposure.mode -}}
{{- if not .Values.config.trunks }}
  - config.trunks is empty: calls reach users and services only.
{{- end -}}
{{- if not .Values.config.users }}
  - config.users is empty: browsers get in with short-lived credentials from the API alone.
{{- end -}}
{{- if and (eq $mode "hostNetwork") .Values.networkPolicy.enabled }}
  - networkPolicy has no effect on pods with hostNetwork in most clusters: use the nodes' firewall.
{{- end -}}
{{- if eq $mode "hostNetwork" }}
  - hostNetwork: port {{ int .Values.ports.admin }} (metrics) is on the node's own address, and the API at its loopback{{ if .Values.grpc.expose }} or its address{{ end }}.
{{- end -}}
{{- if and (has $mode (list "hostPort" "loadBalancer" "nodePort")) (not .Values.exposure.rtp) }}
  - exposure.rtp is off: trunks are heard only if they send to where sound comes from (symmetric RTP).
{{- end -}}
{{- if and (include "trunkline.websocketOn" .) (not (include "trunkline.tlsOn" .Values.tls.websocket)) (not .Values.ingress.enabled) (not .Values.gateway.httpRoute.enabled) }}
  - Browsers give the microphone to https: pages alone, and those connect by wss: alone: set tls.websocket, ingress or gateway.httpRoute.
{{- end -}}
{{- if or (gt (include "trunkline.mostPods" . | int) 1) (eq .Values.kind "DaemonSet") }}
  - Each pod keeps its own registrations: a call from a trunk finds the users of the pod that it reaches. Calls from browsers need nothing shared.
{{- end -}}
{{- if and (gt (int .Values.drain.timeoutSeconds) 600) .Values.drain.protectFromAutoscaler }}
  - A cluster autoscaler that ends nodes all the same waits for its own limit only (often 600 s).
{{- end -}}
{{- end -}}

{{- define "trunkline.notes" -}}
{{- $full := include "trunkline.fullname" . -}}
Trunkline {{ .Chart.AppVersion }} is installed as {{ $full }} in {{ .Release.Namespace }}, mode {{ .Values.exposure.mode }}.

Browsers connect to:
{{- include "trunkline.urls" . | default "\n  nothing: ports.websocket and tls.websocket are off" }}
{{- if .Values.webPhone.enabled }}
The web phone is at the same address with http(s).
{{- end }}

Peers are told (signaling from {{ include "trunkline.source" (list . .Values.address.signaling) }}, media from {{ include "trunkline.source" (list . .Values.address.media) }}):
{{- if include "trunkline.discovers" . }}
  kubectl -n {{ .Release.Namespace }} logs {{ lower .Values.kind }}/{{ $full }} -c discover-address
{{- else if .Values.address.media.value }}
  {{ .Values.address.signaling.value | default "the node's address" }} for SIP, {{ .Values.address.media.value }} for media
{{- else }}
  kubectl -n {{ .Release.Namespace }} get pods -l app.kubernetes.io/instance={{ .Release.Name }} -o custom-columns=POD:.metadata.name,POD_IP:.status.podIP,NODE_IP:.status.hostIP
{{- end }}

Open in the firewall:
{{- include "trunkline.firewall" . }}
{{- with include "trunkline.warnings" . }}

Mind:
{{- . }}
{{- end }}

The console, with a token of grpc.tokens that has the role read{{ if not .Values.grpc.tokens }} (there is none yet: it is closed){{ end }}:
{{- if eq .Values.exposure.mode "hostNetwork" }}
  http://NODE:{{ int .Values.ports.admin }}/
{{- else }}
  kubectl -n {{ .Release.Namespace }} port-forward {{ lower .Values.kind }}/{{ $full }} {{ int .Values.ports.admin }}, then http://127.0.0.1:{{ int .Values.ports.admin }}/
{{- end }}

Next:
  kubectl -n {{ .Release.Namespace }} rollout status {{ lower .Values.kind }}/{{ $full }}
{{- if .Values.tests.enabled }}
  helm -n {{ .Release.Namespace }} test {{ .Release.Name }}
{{- end }}
{{- if not .Values.config.trunks }}
  add domain, users, trunks and routes under config: and run helm upgrade
{{- else if and .Values.grpc.enabled (not .Values.grpc.expose) }}
  kubectl -n {{ .Release.Namespace }} exec {{ lower .Values.kind }}/{{ $full }} -c trunkline -- trunkline trunks
{{- end }}
Pods that end serve their calls up to {{ int .Values.drain.timeoutSeconds }} s; an upgrade can take as long for each.
{{- end -}}
