{{/* How a monitor scrapes: (list $ values) */}}
{{- define "trunkline.scrape" -}}
{{- $root := index . 0 -}}
{{- $full := include "trunkline.fullname" $root -}}
{{- with index . 1 -}}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
honorLabels: {{ .honorLabels }}
relabelings:
  # One job a release, by which the alerts know it.
  - { targetLabel: job, replacement: {{ printf "%s/%s%s" $root.Release.Namespace $full (ternary "" "/trunkline" (contains "trunkline" $full)) | quote }} }
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
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
{{- $name := default "" $rule.alert -}}
{{- $own := get $settings.alerts $name | default dict -}}
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
