{{/* Names and labels. All take (dict "root" $ "service" "api"); root alone where no service is meant. */}}

{{- define "millrace.name" -}}
{{- .root.Release.Name | trunc 40 | trimSuffix "-" }}
{{- with .service }}-{{ . }}{{ end }}
{{- end }}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .service }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "millrace.image" -}}
{{- $own := (index .root.Values .service).image -}}
{{- $image := .root.Values.image -}}
{{- $tag := $image.tag | default .root.Chart.AppVersion -}}
{{- $own | default (printf "%smillrace-%s:%s" (ternary "" (printf "%s/" $image.registry) (empty $image.registry)) .service $tag) -}}
{{- end }}

{{- define "millrace.serviceAccount" -}}
{{- (index .root.Values .service).serviceAccount.name | default (ternary (include "millrace.name" .) "default" .root.Values.serviceAccounts.create) -}}
{{- end }}

{{/* The section of a service over what holds for all pods, as JSON. */}}
{{- define "millrace.section" -}}
{{- mergeOverwrite (deepCopy .root.Values.pods) (deepCopy (index .root.Values .service)) | toJson -}}
{{- end }}

{{/* Whether a service has files in the work space. */}}
{{- define "millrace.usesWorkspace" -}}
{{- if has .service (list "fetcher" "transcoder" "uploader") }}true{{ end -}}
{{- end }}

{{- define "millrace.autoscaled" -}}
{{- with (index .root.Values .service).autoscaling }}{{ if .enabled }}true{{ end }}{{ end -}}
{{- end }}

{{- define "millrace.claim" -}}
{{- .Values.workspace.volume.existingClaim | default (printf "%s-workspace" (include "millrace.name" (dict "root" .))) -}}
{{- end }}
