{{/* Every port of the pod, as a YAML list under the key ports. what: websocket, sip, webrtc, rtp, grpc, admin. nodePort stands
where the mode is nodePort and the number is decided. */}}
{{- define "trunkline.ports" -}}
{{- $ports := .Values.ports -}}
{{- $node := ternary .Values.exposure.nodePort dict (eq .Values.exposure.mode "nodePort") -}}
ports:
{{- if include "trunkline.plainOn" . }}
- { name: ws, port: {{ int $ports.websocket }}, protocol: TCP, what: websocket, nodePort: {{ $node.websocket | default 0 | int }} }
{{- end }}
{{- if include "trunkline.tlsOn" .Values.tls.websocket }}
- { name: wss, port: {{ int $ports.websocketTls }}, protocol: TCP, what: websocket, nodePort: {{ $node.websocketTls | default 0 | int }} }
{{- end }}
{{- range .Values.sip.transports }}
- { name: sip-{{ . }}, port: {{ int $ports.sip }}, protocol: {{ upper . }}, what: sip, nodePort: {{ $node.sip | default 0 | int }} }
{{- end }}
{{- if include "trunkline.tlsOn" .Values.tls.sip }}
- { name: sip-tls, port: {{ int $ports.sipTls }}, protocol: TCP, what: sip, nodePort: {{ $node.sipTls | default 0 | int }} }
{{- end }}
{{- range $worker := until (include "trunkline.workers" . | int) }}
{{- $port := add $ports.webrtc $worker }}
- { name: webrtc-{{ $worker }}, port: {{ $port }}, protocol: UDP, what: webrtc, nodePort: {{ ternary $port 0 (eq $.Values.exposure.mode "nodePort") }} }
{{- if include "trunkline.iceTcp" $ }}
- { name: webrtc-tcp-{{ $worker }}, port: {{ $port }}, protocol: TCP, what: webrtc, nodePort: {{ ternary $port 0 (eq $.Values.exposure.mode "nodePort") }} }
{{- end }}
{{- end }}
{{- if and .Values.exposure.rtp (has .Values.exposure.mode (list "hostPort" "loadBalancer" "nodePort")) }}
{{- range $port := untilStep (int $ports.rtp.first) (int $ports.rtp.last | add1 | int) 1 }}
- { name: rtp-{{ $port }}, port: {{ $port }}, protocol: UDP, what: rtp, nodePort: {{ ternary $port 0 (eq $.Values.exposure.mode "nodePort") }} }
{{- end }}
{{- end }}
{{- if and .Values.grpc.enabled .Values.grpc.expose }}
- { name: grpc, port: {{ int $ports.grpc }}, protocol: TCP, what: grpc, nodePort: 0 }
{{- end }}
- { name: admin, port: {{ int $ports.admin }}, protocol: TCP, what: admin, nodePort: 0 }
{{- end -}}

{{/* Browsers whose network blocks UDP send their media by TCP, unless config says otherwise. */}}
{{- define "trunkline.iceTcp" -}}
{{- if ne (toString (default dict .Values.config.media).ice_tcp) "false" -}}yes{{- end -}}
{{- end -}}

{{/* ports of a Service: (list $ kinds…) */}}
{{- define "trunkline.servicePorts" -}}
{{- $kinds := rest . -}}
{{- range (include "trunkline.ports" (first .) | fromYaml).ports -}}
{{- if has .what $kinds }}
- name: {{ .name }}
  port: {{ int .port }}
  targetPort: {{ .name }}
  protocol: {{ .protocol }}
  {{- if .nodePort }}
  nodePort: {{ int .nodePort }}
  {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether there is a WebSocket Service. */}}
{{- define "trunkline.websocketOn" -}}
{{- if or (include "trunkline.plainOn" .) (include "trunkline.tlsOn" .Values.tls.websocket) -}}yes{{- end -}}
{{- end -}}

{{/* How many pods there may be at most. */}}
{{- define "trunkline.mostPods" -}}
{{- if .Values.autoscaling.enabled -}}
{{- int .Values.autoscaling.maxReplicas -}}
{{- else if .Values.keda.enabled -}}
{{- int .Values.keda.maxReplicas -}}
{{- else -}}
{{- int .Values.replicaCount -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.scaled" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled -}}yes{{- end -}}
{{- end -}}
