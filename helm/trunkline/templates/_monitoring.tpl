{{- define "trunkline.scrape" -}}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
honorLabels: {{ .honorLabels }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Recording rules and alerts: the files of deploy/prometheus, with what the values say of single alerts. */}}
{{- define "trunkline.ruleFiles" -}}
{{- $groups := list -}}
{{- range list "rules" "alerts" -}}
{{- with $.Files.Get (printf "files/prometheus/%s.yaml" .) -}}
{{- $groups = concat $groups (. | fromYaml).groups -}}
{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end -}}

{{- define "trunkline.alertNames" -}}
{{- $names := list -}}
{{- range include "trunkline.ruleFiles" . | fromYamlArray -}}
{{- range .rules }}{{ with .alert }}{{ $names = append $names . }}{{ end }}{{ end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{- define "trunkline.ruleGroups" -}}
{{- $settings := .Values.metrics.prometheusRule -}}
{{- $groups := list -}}
{{- range $group := include "trunkline.ruleFiles" . | fromYamlArray -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- $own := default dict (get $settings.alerts ($rule.alert | default "")) -}}
{{- if ne (toString $own.enabled) "false" -}}
{{- if $rule.alert -}}
{{- with $own.for }}{{ $_ := set $rule "for" . }}{{ end -}}
{{- with $own.expr }}{{ $_ := set $rule "expr" . }}{{ end -}}
{{- with $own.severity }}{{ $_ := set $rule "labels" (merge (dict "severity" .) (default dict $rule.labels)) }}{{ end -}}
{{- with $settings.runbookBase }}{{ $_ := set $rule "annotations" (merge (dict "runbook_url" (printf "%s%s" . $rule.alert)) (default dict $rule.annotations)) }}{{ end -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (set (omit $group "rules") "rules" $rules) -}}
{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end -}}
