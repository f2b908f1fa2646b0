{{/* What selects the daemon's pod. It never changes: Kubernetes changes no selector. */}}
{{- define "ecpd.selector" -}}
app.kubernetes.io/name: ecpd
{{- end }}

{{/* Labels of every object. */}}
{{- define "ecpd.labels" -}}
{{ include "ecpd.selector" . }}
app.kubernetes.io/part-of: openecp
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ecpd.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "ecpd.secret" -}}
{{ .Values.secrets.existingSecret | default "ecpd-keys" }}
{{- end }}

{{/* HTTPS where the daemon speaks TLS itself, else HTTP. */}}
{{- define "ecpd.scheme" -}}
{{ if or .Values.tls.secretName (dig "tls" "auto" false .Values.config) }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{/* The objects of a file of deploy/kubernetes, but for the namespace, which is Helm's to make and nobody's to delete. */}}
{{- define "ecpd.shipped" -}}
{{- range regexSplit "(?m)^---$" (.Files.Get .file) -1 }}
{{- $object := fromYaml . }}
{{- if and $object (ne $object.kind "Namespace") }}
{{- $_ := set $object.metadata "labels" (fromYaml (include "ecpd.labels" $.root)) }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}
