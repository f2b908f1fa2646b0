{{/* The pod, of the one daemon with its database on a volume, and of several with one on a server. */}}
{{- define "ecpd.pod" -}}
metadata:
  labels:
    {{- include "ecpd.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ toYaml .Values.config | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: ecpd
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
  - name: ecpd
    image: {{ include "ecpd.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
    - serve
    - --config=/etc/ecpd/ecpd.yaml
    - --data-dir=/var/lib/ecpd
    - --listen=:18180
    - --secrets-key-file=/etc/ecpd/keys/keys
    {{- with .Values.database }}
    {{- if .url }}
    - {{ printf "--database=%s" .url | quote }}
    {{- if .passwordSecret }}
    - --database-password-file=/etc/ecpd/database/password
    {{- end }}
    - --peer-listen=:{{ $.Values.peer.port }}
    # In brackets, which an address of IPv6 wants and one of IPv4 may have.
    - --peer-address=[$(POD_IP)]:{{ $.Values.peer.port }}
    {{- if not (dig "drain" "" $.Values.config) }}
    # Until all of Kubernetes and a load balancer know that the pod takes no more requests.
    - --drain=5s
    {{- end }}
    {{- end }}
    {{- end }}
    {{- if .Values.metrics.enabled }}
    - --metrics-listen=:18181
    {{- end }}
    {{- if .Values.tls.secretName }}
    - --tls-cert=/etc/ecpd/tls/tls.crt
    - --tls-key=/etc/ecpd/tls/tls.key
    {{- end }}
    env:
    - name: ECPD_BOOTSTRAP_TOKEN
      valueFrom:
        secretKeyRef:
          name: {{ include "ecpd.secret" . }}
          key: bootstrapToken
    {{- if .Values.database.url }}
    - name: POD_IP
      valueFrom:
        fieldRef:
          fieldPath: status.podIP
    {{- if .Values.database.caSecret }}
    - name: PGSSLROOTCERT
      value: /etc/ecpd/database/ca.crt
    {{- end }}
    {{- if .Values.database.clientSecret }}
    - name: PGSSLCERT
      value: /etc/ecpd/database/tls.crt
    - name: PGSSLKEY
      value: /etc/ecpd/database/tls.key
    {{- end }}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    - name: api
      containerPort: 18180
    {{- if .Values.metrics.enabled }}
    - name: metrics
      containerPort: 18181
    {{- end }}
    {{- if .Values.database.url }}
    - name: peer
      containerPort: {{ .Values.peer.port }}
    {{- end }}
    # An older database is brought up to date before anything answers. One that is away is waited for.
    startupProbe:
      httpGet:
        path: /healthz
        port: api
        scheme: {{ include "ecpd.scheme" . }}
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet:
        path: /healthz
        port: api
        scheme: {{ include "ecpd.scheme" . }}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet:
        path: /readyz
        port: api
        scheme: {{ include "ecpd.scheme" . }}
      {{- if .Values.database.url }}
      # Others are there: one that cannot work is left out soon.
      periodSeconds: 2
      timeoutSeconds: 5
      failureThreshold: 2
      {{- else }}
      periodSeconds: 5
      timeoutSeconds: 5
      {{- end }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop:
        - ALL
    volumeMounts:
    - name: data
      mountPath: /var/lib/ecpd
    - name: config
      mountPath: /etc/ecpd/ecpd.yaml
      subPath: ecpd.yaml
      readOnly: true
    - name: keys
      mountPath: /etc/ecpd/keys
      readOnly: true
    {{- if include "ecpd.databaseFiles" . }}
    - name: database
      mountPath: /etc/ecpd/database
      readOnly: true
    {{- end }}
    {{- if .Values.tls.secretName }}
    - name: tls
      mountPath: /etc/ecpd/tls
      readOnly: true
    {{- end }}
    - name: tmp
      mountPath: /tmp
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
  - name: config
    configMap:
      name: ecpd
  - name: keys
    secret:
      secretName: {{ include "ecpd.secret" . }}
      defaultMode: 0440
      items:
      - key: keys
        path: keys
  {{- if .Values.tls.secretName }}
  - name: tls
    secret:
      secretName: {{ .Values.tls.secretName }}
      defaultMode: 0440
  {{- end }}
  {{- if .Values.database.url }}
  # The data are in the database; here is nothing to keep.
  - name: data
    emptyDir: {}
  {{- with include "ecpd.databaseFiles" . }}
  - name: database
    projected:
      defaultMode: 0440
      sources:
      {{- . | nindent 6 }}
  {{- end }}
  {{- end }}
  - name: tmp
    emptyDir: {}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.database.url }}
  topologySpreadConstraints:
  {{- with .Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ecpd.selector" $ | nindent 8 }}
    matchLabelKeys:
    - pod-template-hash
  {{- end }}
  {{- end }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end }}

{{/* What the files for the database are made of; empty if there are none. */}}
{{- define "ecpd.databaseFiles" -}}
{{- with .Values.database }}
{{- if .passwordSecret }}
- secret:
    name: {{ .passwordSecret }}
    items:
    - key: {{ .passwordKey }}
      path: password
{{- end }}
{{- if .caSecret }}
- secret:
    name: {{ .caSecret }}
    items:
    - key: ca.crt
      path: ca.crt
{{- end }}
{{- if .clientSecret }}
- secret:
    name: {{ .clientSecret }}
    items:
    - key: tls.crt
      path: tls.crt
    - key: tls.key
      path: tls.key
{{- end }}
{{- end }}
{{- end }}
