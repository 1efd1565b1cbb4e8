{{/* What can't work, one sentence a line: the key, what is wrong, what would be right. */}}

{{- define "trunkline.refuse" -}}
{{- $problems := list -}}
{{- range list "address" "exposure" "ports" "tls" "config" "scaling" "extras" -}}
{{- range include (printf "trunkline.problems.%s" .) $ | splitList "\n" -}}
{{- with trim . }}{{ $problems = append $problems . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values can't work:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.address" -}}
{{- $mode := .Values.exposure.mode -}}
{{- $family := .Values.address.family -}}
{{- range $role := list "signaling" "media" -}}
{{- $address := get $.Values.address $role -}}
{{- $source := include "trunkline.source" (list $ $address) -}}
{{- $key := printf "address.%s" $role -}}
{{- if not $source }}
{{ $key }}.source must be chosen in mode clusterIP: podIP if all peers are inside the cluster, else static, stun or cloud
{{- else if and (eq $source "podIP") (ne $mode "clusterIP") }}
{{ $key }}.source podIP tells outsiders an address of the cluster: use nodeIP, or mode clusterIP if all peers are inside
{{- else if and (eq $source "service") (ne $mode "loadBalancer") }}
{{ $key }}.source service needs exposure.mode loadBalancer, not {{ $mode }}
{{- else if and (eq $source "static") (not $address.value) (not $address.perPod) }}
{{ $key }}.source static needs {{ $key }}.value, or perPod
{{- else if and (eq $source "stun") (not $.Values.address.discovery.stunServers) }}
{{ $key }}.source stun needs address.discovery.stunServers, each HOST:PORT
{{- else if and (eq $source "nodeLabel") (not $.Values.address.discovery.nodeLabel) }}
{{ $key }}.source nodeLabel needs address.discovery.nodeLabel, the name of a label or annotation of the nodes
{{- end -}}
{{- if and $source (ne $source "static") (or $address.value $address.perPod) }}
{{ $key }}.value and perPod stand beside source {{ $source }}: remove them, or use static
{{- end -}}
{{- if and $address.value $address.perPod }}
{{ $key }}.value stands beside perPod: keep one of the two
{{- end -}}
{{- if $address.perPod -}}
{{- if ne $.Values.kind "StatefulSet" }}
{{ $key }}.perPod counts the pods of a StatefulSet: set kind: StatefulSet
{{- else if lt (len $address.perPod) (include "trunkline.mostPods" $ | int) }}
{{ $key }}.perPod has {{ len $address.perPod }} addresses for up to {{ include "trunkline.mostPods" $ }} pods
{{- end -}}
{{- end -}}
{{- range concat (list $address.value $address.bind) (default list $address.perPod) -}}
{{- if and . (ne (contains ":" .) (eq $family "IPv6")) }}
{{ $key }}: {{ . }} is not an {{ $family }} address, as address.family says
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.exposure" -}}
{{- $mode := .Values.exposure.mode -}}
{{- $rtp := .Values.ports.rtp -}}
{{- $count := sub ($rtp.last | int) ($rtp.first | int) | add1 -}}
{{- if .Values.exposure.rtp -}}
{{- if and (has $mode (list "loadBalancer" "nodePort")) (gt $count 64) }}
exposure.rtp would make {{ $count }} ports of a Service, which has 64 here at most: narrow ports.rtp, or use hostNetwork
{{- else if and (eq $mode "hostPort") (gt $count 256) }}
exposure.rtp would forward {{ $count }} ports of the node, 256 at most: narrow ports.rtp, or use hostNetwork
{{- end -}}
{{- end -}}
{{- if eq $mode "loadBalancer" -}}
{{- if eq .Values.kind "DaemonSet" }}
exposure.mode loadBalancer needs a Service for each pod, which a DaemonSet can't have: use kind: StatefulSet
{{- else if and (eq .Values.kind "Deployment") (gt (include "trunkline.mostPods" . | int) 1) }}
exposure.mode loadBalancer with several pods needs a Service for each, or media reaches the wrong one: use kind: StatefulSet
{{- end -}}
{{- $ips := len .Values.exposure.loadBalancer.ips -}}
{{- if and $ips (lt $ips (include "trunkline.mostPods" . | int)) }}
exposure.loadBalancer.ips has {{ $ips }} addresses for up to {{ include "trunkline.mostPods" . }} pods
{{- end -}}
{{- end -}}
{{- if eq $mode "nodePort" -}}
{{- if and .Values.sip.transports (not .Values.exposure.nodePort.sip) }}
exposure.nodePort.sip is needed: trunks are told that port (30000 to 32767)
{{- end -}}
{{- if and (include "trunkline.tlsOn" .Values.tls.sip) (not .Values.exposure.nodePort.sipTls) }}
exposure.nodePort.sipTls is needed: trunks are told that port (30000 to 32767)
{{- end -}}
{{- $last := add .Values.ports.webrtc (include "trunkline.workers" . | int) -1 -}}
{{- if or (lt (int .Values.ports.webrtc) 30000) (gt ($last | int) 32767) }}
ports.webrtc {{ int .Values.ports.webrtc }} must be a node port (30000 to 32767, one for each worker): browsers are told the port that the gateway binds
{{- end -}}
{{- if and .Values.exposure.rtp (or (lt (int $rtp.first) 30000) (gt (int $rtp.last) 32767)) }}
ports.rtp {{ int $rtp.first }}-{{ int $rtp.last }} must be node ports (30000 to 32767): trunks are told the ports that the gateway binds
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Same protocol, same number: (list name first last) of each. */}}
{{- define "trunkline.overlaps" -}}
{{- range $i, $one := . -}}
{{- range $j, $other := $ -}}
{{- if and (lt $i $j) (le (index $one 1) (index $other 2)) (le (index $other 1) (index $one 2)) }}
{{ index $one 0 }} and {{ index $other 0 }} both take port {{ max (index $one 1) (index $other 1) }}: choose another
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.ports" -}}
{{- $ports := .Values.ports -}}
{{- $workers := include "trunkline.workers" . | int -}}
{{- $first := int $ports.rtp.first -}}
{{- $last := int $ports.rtp.last -}}
{{- $tcp := list (list "ports.admin" (int $ports.admin) (int $ports.admin)) -}}
{{- $webrtc := list "ports.webrtc" (int $ports.webrtc) (add $ports.webrtc $workers -1 | int) -}}
{{- $udp := list $webrtc (list "ports.rtp" $first $last) -}}
{{- if include "trunkline.plainOn" . }}{{ $tcp = append $tcp (list "ports.websocket" (int $ports.websocket) (int $ports.websocket)) }}{{ end -}}
{{- if include "trunkline.tlsOn" .Values.tls.websocket }}{{ $tcp = append $tcp (list "ports.websocketTls" (int $ports.websocketTls) (int $ports.websocketTls)) }}{{ end -}}
{{- if has "tcp" .Values.sip.transports }}{{ $tcp = append $tcp (list "ports.sip" (int $ports.sip) (int $ports.sip)) }}{{ end -}}
{{- if has "udp" .Values.sip.transports }}{{ $udp = append $udp (list "ports.sip" (int $ports.sip) (int $ports.sip)) }}{{ end -}}
{{- if include "trunkline.tlsOn" .Values.tls.sip }}{{ $tcp = append $tcp (list "ports.sipTls" (int $ports.sipTls) (int $ports.sipTls)) }}{{ end -}}
{{- if .Values.grpc.enabled }}{{ $tcp = append $tcp (list "ports.grpc" (int $ports.grpc) (int $ports.grpc)) }}{{ end -}}
{{- if include "trunkline.iceTcp" . }}{{ $tcp = append $tcp $webrtc }}{{ end -}}
{{- include "trunkline.overlaps" $tcp -}}
{{- include "trunkline.overlaps" $udp -}}
{{- if gt $first $last }}
ports.rtp.first {{ $first }} comes after ports.rtp.last {{ $last }}
{{- else if mod $first 2 }}
ports.rtp.first {{ $first }} is odd: start at an even port, RTP takes it and RTCP the next
{{- else if lt (sub $last $first | add1 | int) (mul 2 $workers | int) }}
ports.rtp is too small for {{ $workers }} workers, which need two ports each for every call
{{- end -}}
{{- if gt (index $webrtc 2) 65535 }}
ports.webrtc {{ int $ports.webrtc }} leaves no port for each of {{ $workers }} workers
{{- end -}}
{{- if gt $workers 64 }}
media.workers {{ $workers }} is more than the gateway takes: 64
{{- end -}}
{{- if not (or (include "trunkline.websocketOn" .) .Values.sip.transports (include "trunkline.tlsOn" .Values.tls.sip)) }}
ports.websocket, tls.websocket, sip.transports and tls.sip are all off: nothing would listen for calls
{{- end -}}
{{- if and (eq .Values.exposure.mode "hostNetwork") (not $ports.allowPrivileged) -}}
{{- range concat $tcp $udp -}}
{{- if lt (index . 1) 1024 }}
{{ index . 0 }} {{ index . 1 }} needs root on the node's network: use 1024 or more, or allow it by sysctl on the nodes and set ports.allowPrivileged
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.tls" -}}
{{- range $role := list "websocket" "sip" "grpc" -}}
{{- $tls := get $.Values.tls $role -}}
{{- if and $tls.existingSecret $tls.certManager.enabled }}
tls.{{ $role }}.existingSecret stands beside certManager.enabled: keep one of the two
{{- end -}}
{{- if $tls.certManager.enabled -}}
{{- if not $tls.certManager.issuerRef.name }}
tls.{{ $role }}.certManager.issuerRef.name is missing
{{- end -}}
{{- if not $tls.certManager.dnsNames }}
tls.{{ $role }}.certManager.dnsNames is empty: give the names that peers connect to
{{- end -}}
{{- end -}}
{{- with $tls.clientCA -}}
{{- if and .secretName .configMapName }}
tls.{{ $role }}.clientCA.secretName stands beside configMapName: keep one of the two
{{- else if and (or .secretName .configMapName) (not (include "trunkline.tlsOn" $tls)) }}
tls.{{ $role }}.clientCA needs a certificate of the gateway too: existingSecret or certManager
{{- end -}}
{{- end -}}
{{- end -}}
{{- $clientCA := or .Values.tls.grpc.clientCA.secretName .Values.tls.grpc.clientCA.configMapName -}}
{{- if .Values.grpc.expose -}}
{{- if not .Values.grpc.enabled }}
grpc.expose needs grpc.enabled
{{- else if not (include "trunkline.tlsOn" .Values.tls.grpc) }}
grpc.expose needs a certificate in tls.grpc: existingSecret or certManager
{{- else if not (or .Values.grpc.tokens $clientCA) }}
grpc.expose would open the API to everyone: give grpc.tokens or tls.grpc.clientCA
{{- end -}}
{{- else if include "trunkline.tlsOn" .Values.tls.grpc }}
tls.grpc is for the exposed API: set grpc.expose
{{- end -}}
{{- if and .Values.grpc.clients (not (and .Values.grpc.expose $clientCA)) }}
grpc.clients names client certificates that nothing verifies: give tls.grpc.clientCA, and grpc.expose
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.config" -}}
{{- $config := .Values.config -}}
{{- range $key, $instead := dict "node" "the pod's name" "listen" "ports, sip, tls and grpc" "drain" "drain.timeoutSeconds" "web" "webPhone.enabled" -}}
{{- if hasKey $config $key }}
config.{{ $key }} is decided by {{ $instead }}: remove it
{{- end -}}
{{- end -}}
{{- range $key, $instead := dict "bind" "address.media.bind" "advertise" "address.media" "workers" "media.workers" "webrtc_port" "ports.webrtc" "rtp_ports" "ports.rtp" -}}
{{- if hasKey (default dict $config.media) $key }}
config.media.{{ $key }} is decided by {{ $instead }}: remove it
{{- end -}}
{{- end -}}
{{- if hasKey (default dict $config.cdr) "path" }}
config.cdr.path is decided by cdr.enabled: remove it
{{- else if and $config.cdr (not .Values.cdr.enabled) }}
config.cdr has limits of records that nothing writes: set cdr.enabled
{{- end -}}
{{- if (default dict $config.store) }}
config.store is decided by redis: set redis.enabled, and remove it
{{- end -}}
{{- $redis := .Values.redis -}}
{{- if $redis.enabled -}}
{{- $secret := default dict $redis.urlSecretRef -}}
{{- if and $redis.url $secret.name }}
redis.url stands beside redis.urlSecretRef: keep one of the two
{{- else if not (or $redis.url $secret.name) }}
redis.enabled needs where Redis is: urlSecretRef, or url if it holds no password
{{- end -}}
{{- if hasPrefix "rediss://" $redis.url }}
redis.url asks for TLS, which the Redis client library of Debian 12 lacks: use redis://
{{- else if regexMatch "://[^@/]*@" $redis.url }}
redis.url would stand readable in a ConfigMap with its password: use redis.urlSecretRef
{{- end -}}
{{- $credentials := default dict $config.credentials -}}
{{- if not (or $credentials.secret $credentials.secretSecretRef $credentials.secret_file) }}
redis.enabled needs config.credentials.secretSecretRef, by which the pods know each other
{{- end -}}
{{- if not (or (has "udp" .Values.sip.transports) (has "tcp" .Values.sip.transports)) }}
redis.enabled needs udp or tcp in sip.transports, for calls between the pods
{{- end -}}
{{- end -}}
{{- range $section := list "users" "trunks" -}}
{{- range $i, $entry := default list (get $config $section) -}}
{{- if and $entry.password (not (regexMatch "^\\$\\{[^}]+\\}$" $entry.password)) }}
config.{{ $section }}[{{ $i }}].password would stand readable in a ConfigMap: use passwordSecretRef, or ${NAME} with existingSecret
{{- end -}}
{{- if and $entry.passwordSecretRef (or $entry.password $entry.password_file) }}
config.{{ $section }}[{{ $i }}].passwordSecretRef stands beside another password: keep one
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $config.credentials -}}
{{- if and .secret (not (regexMatch "^\\$\\{[^}]+\\}$" .secret)) }}
config.credentials.secret would stand readable in a ConfigMap: use secretSecretRef, or ${NAME} with existingSecret
{{- end -}}
{{- end -}}
{{- if and $config.users (not $config.domain) }}
config.users needs config.domain, the SIP domain of the users
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.scaling" -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled }}
autoscaling.enabled stands beside keda.enabled: both would set the number of pods, keep one
{{- end -}}
{{- if and (eq .Values.kind "DaemonSet") (include "trunkline.scaled" .) }}
kind DaemonSet has a pod on each node and can't be scaled: use Deployment or StatefulSet
{{- end -}}
{{- range $key := list "autoscaling" "keda" -}}
{{- $scaling := get $.Values $key -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{ $key }}.minReplicas {{ int $scaling.minReplicas }} is more than maxReplicas {{ int $scaling.maxReplicas }}
{{- end -}}
{{- end -}}
{{- if and .Values.keda.enabled (not .Values.keda.prometheusAddress) }}
keda.prometheusAddress is missing: KEDA asks Prometheus for the active calls
{{- end -}}
{{- if and .Values.podDeletionCost.enabled (ne .Values.kind "Deployment") }}
podDeletionCost is for kind Deployment: a {{ .Values.kind }} chooses its pods by another order
{{- end -}}
{{- end -}}

{{- define "trunkline.problems.extras" -}}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled }}
metrics.podMonitor stands beside metrics.serviceMonitor: every pod would be scraped twice, keep one
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- if not .Values.ports.websocket }}
ingress needs ports.websocket, the listener without TLS
{{- end -}}
{{- if not .Values.ingress.hosts }}
ingress.hosts is empty: give { host: NAME, path: / }
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.httpRoute.enabled (not .Values.ports.websocket) }}
gateway.httpRoute needs ports.websocket, the listener without TLS
{{- end -}}
{{- if and .Values.gateway.tlsRoute.enabled (not (include "trunkline.tlsOn" .Values.tls.websocket)) }}
gateway.tlsRoute needs tls.websocket
{{- end -}}
{{- if and .Values.gateway.grpcRoute.enabled (not .Values.grpc.expose) }}
gateway.grpcRoute needs grpc.expose
{{- end -}}
{{- range $name := list "httpRoute" "tlsRoute" "grpcRoute" -}}
{{- $route := get $.Values.gateway $name -}}
{{- if and $route.enabled (not $route.parentRefs) }}
gateway.{{ $name }}.parentRefs is empty: name the Gateway
{{- end -}}
{{- end -}}
{{- if .Values.metrics.prometheusRule.enabled -}}
{{- $known := include "trunkline.alertNames" . | fromYamlArray -}}
{{- range $name, $_ := .Values.metrics.prometheusRule.alerts -}}
{{- if not (has $name $known) }}
metrics.prometheusRule.alerts.{{ $name }} is not an alert of this chart: it has {{ join ", " $known }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
