{{/* The map of the suite, as in suite.toml; a test compares the two. */}}
{{- define "mmptf.map" -}}
catalog: {needs: [database, cache, identity], asks: [funding]}
funding: {needs: [database, cache, identity], asks: [catalog]}
markers: {needs: [database, cache, identity], asks: [catalog, funding]}
gateway: {needs: [cache], asks: [catalog, funding, markers]}
{{- end }}

{{- define "mmptf.suite" -}}
{{- .Values.suite | default .Release.Name }}
{{- end }}

{{/* Labels by which policies and Services of any release of the suite find the pods of a component. */}}
{{- define "mmptf.selector" -}}
app.kubernetes.io/part-of: {{ include "mmptf.suite" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "mmptf.labels" -}}
{{ include "mmptf.selector" . }}
app.kubernetes.io/name: mmptf-{{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "mmptf.image" -}}
{{- with .root.Values.image.repository }}{{ . }}/{{ end }}mmptf-{{ .name }}
{{- with (index .root.Values.processes .name).digest }}@{{ . }}
{{- else }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* The settings of a process that are no secret, sorted by name. Whole numbers of values are read as floats. */}}
{{- define "mmptf.environment" -}}
{{- $root := .root }}
{{- $entry := index (include "mmptf.map" $root | fromYaml) .name }}
{{- $found := dict "PORT" 8000 "DRAIN_SECONDS" $root.Values.drainSeconds "BASE_PATH" $root.Values.basePath }}
{{- $addresses := list }}
{{- range $entry.asks }}
  {{- if has . $root.Values.members }}
    {{- $url := printf "http://%s-%s:8000" (include "mmptf.suite" $root) . }}
    {{- $addresses = append $addresses (printf "%s=%s" . $url) }}
    {{- if ne $.name "gateway" }}{{ $_ := set $found (printf "%s_URL" (upper .)) $url }}{{ end }}
  {{- end }}
{{- end }}
{{- if eq .name "gateway" }}
  {{- $_ := set $found "SERVICES" (join "," $addresses) }}
{{- else }}
  {{- /* Only the gateway and other services reach them, so that the last foreign address in X-Forwarded-For is the client's. */}}
  {{- $_ := set $found "FORWARDED_ALLOW_IPS" "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7" }}
{{- end }}
{{- if and (has "identity" $entry.needs) $root.Values.identity.issuer }}
  {{- with $root.Values.identity }}
    {{- $_ := set $found "IDENTITY_ISSUER" .issuer }}
    {{- $_ := set $found "IDENTITY_AUDIENCE" .audience }}
    {{- $_ := set $found "IDENTITY_KEYS_URL" .keysUrl }}
    {{- $_ := set $found "IDENTITY_ORGANIZATION_CLAIM" .organizationClaim }}
    {{- $_ := set $found "IDENTITY_ROLES_CLAIM" .rolesClaim }}
    {{- $_ := set $found "IDENTITY_SCOPES_CLAIM" .scopesClaim }}
  {{- end }}
{{- end }}
{{- with $root.Values.metrics.port }}{{ $_ := set $found "METRICS_PORT" . }}{{ end }}
{{- $_ := set $found "OTEL_EXPORTER_OTLP_ENDPOINT" $root.Values.telemetry.endpoint }}
{{- $found = mergeOverwrite $found $root.Values.settings (index $root.Values.processes .name).settings }}
{{- range $name, $value := $found }}
{{- if ne (toString $value) "" }}
- name: {{ $name }}
  {{- if and (kindIs "float64" $value) (eq (floor $value) $value) }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mmptf.secret" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef: {name: {{ .of.name }}, key: {{ .of.key }}}
{{- end }}

{{- define "mmptf.pod" -}}
automountServiceAccountToken: false
# Its variables would have the names of settings, such as CATALOG_PORT.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "mmptf.container" -}}
image: {{ include "mmptf.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml (index .root.Values.processes .name).resources | nindent 2 }}
volumeMounts:
  - {name: temporary, mountPath: /tmp}
{{- end }}

{{/* In memory, so that a full one is an error of the request and not the end of the pod. */}}
{{- define "mmptf.volumes" -}}
- name: temporary
  emptyDir: {medium: Memory, sizeLimit: {{ (index .root.Values.processes .name).temporary }}}
{{- end }}

{{/* The egress rules to the servers of names, and to the database of a service. */}}
{{- define "mmptf.egress.dns" -}}
- to: {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- define "mmptf.egress" -}}
- to: {{- toYaml .peers | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
