{{/* The environment variables of a service. Settings are sorted by name, so that a pod is not replaced without a reason. */}}
{{- define "millrace.environment" -}}
{{- $section := index .root.Values .service -}}
{{- $own := printf "MILLRACE_%s_" (upper .service) -}}
{{- $values := .root.Values -}}
{{- $settings := dict
  "MILLRACE_NATS_REPLICAS" $values.nats.replicas
  (printf "%sGRACE_SECONDS" $own) $section.graceSeconds
  (printf "%sHEALTH_PORT" $own) (include "millrace.healthPort" . | int)
-}}
{{- with $section.slots }}{{ $_ := set $settings (printf "%sSLOTS" $own) . }}{{ end -}}
{{- if include "millrace.usesWorkspace" . }}
{{- $_ := set $settings "MILLRACE_WORKSPACE_URL" ($values.workspace.url | default "file:///var/lib/millrace/workspace") -}}
{{- end }}
{{- if and (include "millrace.usesWorkspace" .) $values.workspace.url }}
{{- $_ := set $settings "MILLRACE_SCRATCH_BYTES" (mul (int64 $values.workspace.scratchGigabytes) 1073741824) -}}
{{- end }}
{{- with $values.nats.tls }}
{{- if .existingSecret }}
{{- $_ := set $settings "MILLRACE_NATS_TLS_CA" "/etc/millrace/nats-tls/ca.crt" -}}
{{- if .clientCertificate }}
{{- $_ := set $settings "MILLRACE_NATS_TLS_CERT" "/etc/millrace/nats-tls/tls.crt" -}}
{{- $_ := set $settings "MILLRACE_NATS_TLS_KEY" "/etc/millrace/nats-tls/tls.key" -}}
{{- end }}
{{- end }}
{{- if .first }}{{ $_ := set $settings "MILLRACE_NATS_TLS_FIRST" true }}{{ end -}}
{{- end }}
{{- if and (eq .service "transcoder") $section.gpu.enabled }}
{{- $_ := set $settings "NVIDIA_DRIVER_CAPABILITIES" "video,compute,utility" -}}
{{- end }}
{{- $given := mergeOverwrite (deepCopy $values.settings) $section.settings -}}
{{- range $name, $_ := $given }}
{{- if hasKey $settings $name }}{{ fail (printf "%s is set by the chart: change the value it follows from" $name) }}{{ end }}
{{- end }}
{{- range $name, $value := merge $settings $given }}
- name: {{ $name }}
  {{- /* A number beyond a million is a float to Helm, and would be written as one. */}}
  value: {{ if kindIs "float64" $value }}{{ if eq (floor $value) $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | quote }}{{ end }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- if ne .service "transcoder" }}
- name: MILLRACE_SEAL_KEYS
  valueFrom: {secretKeyRef: {name: {{ $values.sealKeys.existingSecret | quote }}, key: {{ $values.sealKeys.key | quote }}}}
{{- end }}
- name: MILLRACE_NATS_URL
  valueFrom: {secretKeyRef: {name: {{ $values.nats.existingSecret | quote }}, key: {{ index $values.nats.keys .service | quote }}}}
{{- if eq .service "api" }}
- name: MILLRACE_API_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ $values.database.existingSecret | quote }}, key: {{ $values.database.key | quote }}}}
{{- end }}
{{- if and (eq .service "api") $values.busUsers.existingSecret }}
{{- $from := $values.busUsers }}
- name: MILLRACE_API_BUS_ISSUER_SEED
  valueFrom: {secretKeyRef: {name: {{ $from.existingSecret | quote }}, key: {{ $from.seedKey | quote }}}}
- name: MILLRACE_API_BUS_SYSTEM_URL
  valueFrom: {secretKeyRef: {name: {{ $from.existingSecret | quote }}, key: {{ $from.urlKey | quote }}}}
{{- end }}
{{- if and (eq .service "api") $values.licenceServer.existingSecret }}
- name: MILLRACE_API_LICENCE_SERVER_URL
  valueFrom: {secretKeyRef: {name: {{ $values.licenceServer.existingSecret | quote }}, key: {{ $values.licenceServer.key | quote }}}}
{{- end }}
{{- if and (include "millrace.usesWorkspace" .) $values.workspace.url $values.workspace.existingSecret }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $values.workspace.existingSecret | quote }}, key: {{ . }}}}
{{- end }}
{{- end }}
{{- end }}

{{/* The api has its health and metrics on a port of their own, so that the way in does not lead to them. */}}
{{- define "millrace.healthPort" -}}
{{- ternary 8081 8080 (eq .service "api") -}}
{{- end }}
