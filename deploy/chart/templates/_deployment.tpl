{{/* The Deployment of a service. */}}
{{- define "millrace.deployment" -}}
{{- $section := include "millrace.section" . | fromJson -}}
{{- $selector := include "millrace.selector" . -}}
{{- $space := include "millrace.usesWorkspace" . -}}
{{- $volume := and $space (not .root.Values.workspace.url) -}}
{{- $scratch := and $space .root.Values.workspace.url .root.Values.workspace.scratchGigabytes -}}
{{- $gpu := and (eq .service "transcoder") $section.gpu.enabled -}}
{{- if $gpu }}
{{- $_ := set $section "nodeSelector" (merge $section.gpu.nodeSelector $section.nodeSelector) -}}
{{- $_ := set $section "tolerations" (concat $section.tolerations $section.gpu.tolerations) -}}
{{- end }}
{{- $drain := $section.drainSeconds | default 0 -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "millrace.name" . }}
  labels: {{- include "millrace.labels" . | nindent 4 }}
spec:
  {{- if not (include "millrace.autoscaled" .) }}
  replicas: {{ $section.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{- $selector | nindent 6 }}
  strategy:
    # One pod more while another goes, except of GPUs, of which there may be none left.
    rollingUpdate: {{ ternary "{maxSurge: 0, maxUnavailable: 1}" "{maxSurge: 1, maxUnavailable: 0}" $gpu }}
  template:
    metadata:
      labels: {{- merge ($selector | fromYaml) $section.labels | toYaml | nindent 8 }}
      {{- with $section.annotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "millrace.serviceAccount" . }}
      automountServiceAccountToken: false
      # Kubernetes would add variables like MILLRACE_API_PORT for a Service named millrace-api: settings, to the services.
      enableServiceLinks: false
      # What the service takes to end, and some time to hand work back.
      terminationGracePeriodSeconds: {{ add $section.graceSeconds $drain 30 }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        # Files of the work space have the right owner already, and there are many.
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault}
      {{- if $gpu }}
      runtimeClassName: {{ $section.gpu.runtimeClassName | quote }}
      {{- end }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $section.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with $section.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $section.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $section.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $section.topologySpreadConstraints }}
      topologySpreadConstraints:
        # Of one revision: pods of the former one are about to go.
        {{- $which := dict "labelSelector" (dict "matchLabels" ($selector | fromYaml)) "matchLabelKeys" (list "pod-template-hash") }}
        {{- range . }}
        - {{- merge . $which | toYaml | nindent 10 | trim | printf " %s" }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .service }}
          image: {{ include "millrace.image" . | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          ports:
            {{- if eq .service "api" }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: health, containerPort: {{ include "millrace.healthPort" . }}}
          env: {{- include "millrace.environment" . | trim | nindent 12 }}
            {{- with $section.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          # Live while the event loop turns; ready when NATS, database, work space and pulls are in order.
          livenessProbe:
            httpGet: {path: /health/live, port: health}
            initialDelaySeconds: 10
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /health/ready, port: health}
            periodSeconds: 5
            timeoutSeconds: 10
            failureThreshold: 3
          {{- if $drain }}
          lifecycle:
            {{- if eq .service "transcoder" }}
            # Takes no further part, and ends when those that run are done; the hook ends with it.
            preStop: {exec: {command: [/bin/sh, -c, kill -USR1 1 && sleep {{ $drain }}]}}
            {{- else }}
            preStop: {sleep: {seconds: {{ $drain }}}}
            {{- end }}
          {{- end }}
          resources: {{- include "millrace.resources" (dict "section" $section "gpu" $gpu) | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- if $volume }}
            - {name: workspace, mountPath: /var/lib/millrace/workspace}
            {{- end }}
            {{- if $scratch }}
            - {name: scratch, mountPath: /var/lib/millrace/scratch}
            {{- end }}
            {{- if .root.Values.nats.tls.existingSecret }}
            - {name: nats-tls, mountPath: /etc/millrace/nats-tls, readOnly: true}
            {{- end }}
            {{- with $section.volumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: {{ $section.tmp }}}}
        {{- if $volume }}
        - {name: workspace, persistentVolumeClaim: {claimName: {{ include "millrace.claim" .root }}}}
        {{- end }}
        {{- if $scratch }}
        # A tenth more than the service keeps to, or Kubernetes would end the pod over a rounding.
        - {name: scratch, emptyDir: {sizeLimit: {{ div (mul (int64 $scratch) 11) 10 }}Gi}}
        {{- end }}
        {{- with .root.Values.nats.tls.existingSecret }}
        - {name: nats-tls, secret: {secretName: {{ . | quote }}, defaultMode: 0440}}
        {{- end }}
        {{- with $section.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}

{{- define "millrace.resources" -}}
{{- $resources := deepCopy .section.resources -}}
{{- if .gpu }}
{{- $resources = merge $resources (dict "limits" (dict .section.gpu.resource (.section.gpu.count | int))) -}}
{{- end }}
{{- toYaml $resources -}}
{{- end }}
