{{/*
The one place where a pod is described.

deftunes.pod       root, workload [, name, label, annotations, command, args, deadline]: a stage's pod from the values' tables
deftunes.podBody   metadata and spec of any pod of this chart; keys as used below. All pods are alike in what the
                   restricted pod security standard asks, in user, in /tmp as the only writable path and in labels.
deftunes.container one container of it; `init` are the arguments of the same image's container that has to end first
*/}}
{{- define "deftunes.pod" -}}
{{- $root := .root -}}
{{- $work := index (include "deftunes.workloads" $root | fromJson) .workload -}}
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
{{- $servers := $work.servers | default (ternary (list "songs") list ($work.songsDsn | default false)) -}}
{{- $songs := has "songs" $servers -}}
{{- /* the serving image has two commands; its own is the build */ -}}
{{- $command := ternary (list "tini" "--" "deftunes-verify") list (eq $work.stage "verify") -}}
{{- $labels := dict -}}
{{- range $key := list "pipeline" "entity" -}}
{{- with index $work $key -}}{{- $_ := set $labels (printf "deftunes.io/%s" $key) . -}}{{- end -}}
{{- end -}}
{{- include "deftunes.podBody" (dict
      "root" $root "name" .name "component" $work.stage "workload" (.label | default .workload) "image" (ternary "dbt" $work.stage (eq $work.stage "verify")) "labels" $labels
      "container" "stage" "command" (.command | default $command) "args" (.args | default $args) "annotations" $annotations
      "restartPolicy" "Never"
      "deadline" (coalesce .deadline $work.activeDeadlineSeconds $stage.activeDeadlineSeconds)
      "grace" $stage.terminationGracePeriodSeconds "resources" ($work.resources | default $stage.resources)
      "tmpSize" ($work.tmpSize | default $stage.tmpSize) "placement" (index $root.Values.placement $work.stage)
      "settings" (list "settings") "cloud" true "driver" $driver "token" $driver "sparkSecret" $driver
      "configs" (ternary (dict "executor" "/etc/deftunes/spark") dict $driver)
      "spark" (has $work.stage (list "lake" "transform" "quality"))
      "secretFile" (ternary "songs-dsn" "" $songs) "authority" (ternary $root.Values.songs.caConfigMap "" $songs)
      "servers" $servers "contracts" (not (empty $root.Values.contracts.files))
      "redshift" (and (has $work.stage (list "dbt" "verify")) (eq $root.Values.serving.target "redshift") (eq $root.Values.redshift.auth "password"))) -}}
{{- end -}}

{{/* An executor, as its driver's template. */}}
{{- define "deftunes.executorPod" -}}
{{- include "deftunes.podBody" (dict "root" . "component" "executor" "image" "transform" "container" "executor"
      "settings" (list "settings") "cloud" true "sparkSecret" true "restartPolicy" "Never"
      "grace" .Values.spark.executors.terminationGracePeriodSeconds
      "tmpSize" .Values.spark.executors.tmpSize "tmpVolume" "spark-local-dir-1" "placement" .Values.placement.executor
      "ports" (list (dict "name" "blocks" "containerPort" 7079 "protocol" "TCP"))) -}}
{{- end -}}

{{- define "deftunes.podBody" -}}
{{- $root := .root -}}
{{- $more := include "deftunes.extensions" . | fromJson -}}
metadata:
  {{- with .name }}
  name: {{ . }}
  {{- end }}
  labels:
    {{- include "deftunes.labels" (dict "root" $root "component" .component "own" $more.podLabels) | nindent 4 }}
    {{- with .workload }}
    deftunes.io/workload: {{ . }}
    {{- end }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if .driver }}
    deftunes.io/spark-driver: "true"
    {{- end }}
  {{- with merge $more.podAnnotations (.annotations | default dict) }}
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
  serviceAccountName: {{ include "deftunes.serviceAccountName" (dict "root" $root "component" .component) }}
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
    {{- if .driver }}
    - name: pod
      downwardAPI:
        items:
          - path: labels
            fieldRef: {fieldPath: metadata.labels}
    {{- end }}
    {{- range $suffix, $_ := .configs }}
    - name: {{ $suffix }}
      configMap:
        name: {{ include "deftunes.fullname" $root }}-{{ $suffix }}
    {{- end }}
    {{- if .contracts }}
    - name: contracts
      configMap:
        name: {{ include "deftunes.fullname" $root }}-contracts
    {{- end }}
    {{- range $server := .servers }}
    {{- with include "deftunes.sourceFiles" (dict "root" $root "server" $server) | fromJsonArray }}
    - name: source-{{ $server | replace "_" "-" }}
      projected:
        defaultMode: 0440
        sources:
          {{- range . }}
          - {{ .kind }}:
              name: {{ .name }}
              items:
                - {key: {{ .key }}, path: {{ .path }}}
          {{- end }}
    {{- end }}
    {{- end }}
    {{- include "deftunes.caVolume" . | nindent 4 }}
    {{- with $more.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "deftunes.container" -}}
{{- $root := .root -}}
{{- $more := include "deftunes.extensions" . | fromJson -}}
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
  {{- with concat (include "deftunes.envFrom" . | fromYamlArray) $more.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  env:
    {{- include "deftunes.env" . | trim | nindent 4 }}
    {{- with $more.extraEnv }}
    {{- toYaml . | nindent 4 }}
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
    {{- if .driver }}
    - name: pod
      mountPath: /etc/deftunes/pod
      readOnly: true
    {{- end }}
    {{- range $suffix, $path := .configs }}
    - name: {{ $suffix }}
      mountPath: {{ $path }}
      readOnly: true
    {{- end }}
    {{- if .contracts }}
    - name: contracts
      mountPath: /etc/deftunes/contracts
      readOnly: true
    {{- end }}
    {{- range $server := .servers }}
    {{- if include "deftunes.sourceFiles" (dict "root" $root "server" $server) | fromJsonArray }}
    - name: source-{{ $server | replace "_" "-" }}
      mountPath: /etc/deftunes/sources/{{ $server }}
      readOnly: true
    {{- end }}
    {{- end }}
    {{- if include "deftunes.caVolume" . }}
    - name: ca-bundle
      mountPath: /etc/deftunes/ca
      readOnly: true
    {{- end }}
    {{- with $more.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
