{{/*
The one place where a pod is described.

deftunes.pod       root, workload [, name, label, annotations, command, args, deadline]: a stage's pod from the values' tables
deftunes.podBody   metadata and spec of any pod of this chart; keys as used below. All pods are alike in what the
                   restricted pod security standard asks, in user, in /tmp as the only writable path and in labels.
deftunes.container one container of it; `init` are the arguments of the same image's container that has to end first
*/}}
{{- define "deftunes.pod" -}}
{{- $root := .root -}}
{{- $work := index $root.Values.workloads .workload -}}
{{- $stage := index $root.Values.stages $work.stage -}}
{{- $driver := and $root.Values.spark.executors.enabled ($work.executors | default false) -}}
{{- $args := $work.args -}}
{{- if $work.interval -}}
{{- with $root.Values -}}
{{- $args = concat $args (list "--start" .interval.start "--end" .interval.end "--run-id" .runId) -}}
{{- end -}}
{{- end -}}
{{- $annotations := .annotations | default dict -}}
{{- if $work.executors -}}
{{- /* moving the driver means to start the stage again: a node is not given up while it runs */ -}}
{{- $annotations = merge (dict "karpenter.sh/do-not-disrupt" "true") $annotations -}}
{{- end -}}
{{- include "deftunes.podBody" (dict
      "root" $root "name" .name "component" $work.stage "workload" (.label | default .workload) "image" $work.stage
      "container" "stage" "command" .command "args" (.args | default $args) "annotations" $annotations
      "restartPolicy" "Never"
      "deadline" (coalesce .deadline $work.activeDeadlineSeconds $stage.activeDeadlineSeconds)
      "grace" $stage.terminationGracePeriodSeconds "resources" ($work.resources | default $stage.resources)
      "tmpSize" ($work.tmpSize | default $stage.tmpSize) "placement" (index $root.Values.placement $work.stage)
      "settings" (list "settings") "cloud" true "driver" $driver "token" $driver "sparkSecret" $driver
      "configs" (ternary (dict "executor" "/etc/deftunes/spark") dict $driver)
      "spark" (has $work.stage (list "lake" "transform" "quality"))
      "secretFile" (ternary "songs-dsn" "" ($work.songsDsn | default false))
      "authority" (ternary $root.Values.songs.caConfigMap "" ($work.songsDsn | default false))
      "redshift" (and (eq $work.stage "dbt") (eq $root.Values.serving.target "redshift") (eq $root.Values.redshift.auth "password"))) -}}
{{- end -}}

{{- define "deftunes.podBody" -}}
{{- $root := .root -}}
metadata:
  {{- with .name }}
  name: {{ . }}
  {{- end }}
  labels:
    {{- include "deftunes.labels" (dict "root" $root "component" .component) | nindent 4 }}
    {{- with .workload }}
    deftunes.io/workload: {{ . }}
    {{- end }}
    {{- if .driver }}
    deftunes.io/spark-driver: "true"
    {{- end }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with .deadline }}
  activeDeadlineSeconds: {{ int64 . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ int64 .grace }}
  serviceAccountName: {{ include "deftunes.fullname" $root }}-{{ .component }}
  # only what makes pods talks to the API server
  automountServiceAccountToken: {{ .token | default false }}
  # a Service named like a program would set variables that the program reads as its own
  enableServiceLinks: false
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .placement }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  {{- with .init }}
  initContainers:
    {{- include "deftunes.container" (omit (merge (dict "container" "wait" "args" .) $) "command" "ports" "probes") | nindent 4 }}
  {{- end }}
  containers:
    {{- include "deftunes.container" . | nindent 4 }}
  volumes:
    - name: {{ .tmpVolume | default "tmp" }}
      emptyDir:
        sizeLimit: {{ .tmpSize }}
    {{- if .secretFile }}
    - name: credentials
      secret:
        secretName: {{ .secret | default $root.Values.credentials.existingSecret }}
        defaultMode: 0440
        items:
          - {key: {{ .secretFile }}, path: {{ .secretFile }}}
    {{- end }}
    {{- with .authority }}
    - name: authority
      configMap:
        name: {{ . }}
        items:
          - {key: ca.pem, path: ca.pem}
    {{- end }}
    {{- if .sparkSecret }}
    - name: spark-rpc
      secret:
        secretName: {{ include "deftunes.sparkSecret" $root }}
        defaultMode: 0440
        items:
          - {key: spark-secret, path: spark-secret}
    {{- end }}
    {{- range $suffix, $_ := .configs }}
    - name: {{ $suffix }}
      configMap:
        name: {{ include "deftunes.fullname" $root }}-{{ $suffix }}
    {{- end }}
{{- end -}}

{{- define "deftunes.container" -}}
{{- $root := .root -}}
{{- $secret := $root.Values.credentials.existingSecret -}}
- name: {{ .container }}
  image: {{ include "deftunes.image" (dict "root" $root "image" .image) }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  {{- with .command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .args }}
  args:
    {{- range . }}
    - {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- with .settings }}
  envFrom:
    {{- range . }}
    - configMapRef:
        name: {{ include "deftunes.fullname" $root }}-{{ . }}
    {{- end }}
  {{- end }}
  env:
    - name: HOME
      value: /tmp
    {{- if and .cloud (include "deftunes.awsKeys" $root) }}
    - name: AWS_ACCESS_KEY_ID
      valueFrom:
        secretKeyRef: {name: {{ $secret }}, key: aws-access-key-id}
    - name: AWS_SECRET_ACCESS_KEY
      valueFrom:
        secretKeyRef: {name: {{ $secret }}, key: aws-secret-access-key}
    {{- end }}
    {{- if eq (.secretFile | default "") "songs-dsn" }}
    - name: DEFTUNES_SONGS_DSN_FILE
      value: /etc/deftunes/credentials/songs-dsn
    {{- end }}
    {{- if .authority }}
    - name: PGSSLMODE
      value: verify-full
    - name: PGSSLROOTCERT
      value: /etc/deftunes/authority/ca.pem
    {{- end }}
    {{- if .redshift }}
    - name: REDSHIFT_PASSWORD
      valueFrom:
        secretKeyRef: {name: {{ $secret }}, key: redshift-password}
    {{- end }}
    {{- if .spark }}
    {{- include "deftunes.sparkEnv" . | nindent 4 }}
    {{- end }}
    {{- if .airflow }}
    {{- include "deftunes.airflowEnv" . | nindent 4 }}
    {{- end }}
  {{- with .ports }}
  ports:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .driver }}
  ports:
    - {name: driver, containerPort: 7078, protocol: TCP}
    - {name: blocks, containerPort: 7079, protocol: TCP}
  {{- end }}
  {{- with .probes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  # the last lines it wrote are what `kubectl describe` and Airflow's alert say of a failed pod
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  volumeMounts:
    - name: {{ .tmpVolume | default "tmp" }}
      mountPath: /tmp
    {{- if .secretFile }}
    - name: credentials
      mountPath: {{ .secretPath | default "/etc/deftunes/credentials" }}
      readOnly: true
    {{- end }}
    {{- if .authority }}
    - name: authority
      mountPath: /etc/deftunes/authority
      readOnly: true
    {{- end }}
    {{- if .sparkSecret }}
    - name: spark-rpc
      mountPath: /etc/deftunes/spark-rpc
      readOnly: true
    {{- end }}
    {{- range $suffix, $path := .configs }}
    - name: {{ $suffix }}
      mountPath: {{ $path }}
      readOnly: true
    {{- end }}
{{- end -}}

{{/* How a driver finds its executors; without executors Spark is one process. */}}
{{- define "deftunes.sparkEnv" -}}
{{- $spark := .root.Values.spark -}}
- name: DEFTUNES_SPARK_DRIVER_MEMORY
  value: {{ $spark.driver.memory | quote }}
{{- if .driver }}
- name: DEFTUNES_SPARK_MASTER
  value: k8s://https://kubernetes.default.svc
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
- name: POD_IP
  valueFrom:
    fieldRef: {fieldPath: status.podIP}
- name: DEFTUNES_SPARK_EXECUTOR_IMAGE
  value: {{ include "deftunes.image" . }}
- name: DEFTUNES_SPARK_EXECUTOR_TEMPLATE
  value: /etc/deftunes/spark/executor.yaml
- name: DEFTUNES_SPARK_SECRET_FILE
  value: /etc/deftunes/spark-rpc/spark-secret
- name: DEFTUNES_SPARK_EXECUTORS_MIN
  value: {{ $spark.executors.instances.min | int64 | quote }}
- name: DEFTUNES_SPARK_EXECUTORS_MAX
  value: {{ $spark.executors.instances.max | int64 | quote }}
- name: DEFTUNES_SPARK_EXECUTOR_CORES
  value: {{ $spark.executors.cores | int64 | quote }}
{{- with $spark.executors.cpu }}
- name: DEFTUNES_SPARK_EXECUTOR_CPU
  value: {{ . | quote }}
{{- end }}
- name: DEFTUNES_SPARK_EXECUTOR_MEMORY
  value: {{ $spark.executors.memory | quote }}
{{- else }}
- name: DEFTUNES_SPARK_MASTER
  value: {{ $spark.localCores | quote }}
{{- end }}
{{- end -}}
