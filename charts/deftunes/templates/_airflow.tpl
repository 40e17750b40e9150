{{/* Airflow: what its pods read. deftunes.airflow-… are the data of the ConfigMaps of the same names. */}}
{{- define "deftunes.airflow-settings" -}}
# a task is a process of the scheduler as long as it takes to make a stage's pod; waiting for the pod is the triggerer's
AIRFLOW__CORE__EXECUTOR: LocalExecutor
AIRFLOW__CORE__PARALLELISM: {{ int64 .Values.airflow.parallelism | quote }}
AIRFLOW__CORE__EXECUTION_API_SERVER_URL: http://{{ include "deftunes.fullname" . }}-airflow-api-server:8080/execution/
# pods have no name that others can resolve, and logs of running tasks are fetched from them
AIRFLOW__CORE__HOSTNAME_CALLABLE: airflow.utils.net.get_host_ip_address
{{- if eq .Values.airflow.auth "fab" }}
AIRFLOW__CORE__AUTH_MANAGER: airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
{{- else }}
# whoever reaches the port is an administrator
AIRFLOW__CORE__AUTH_MANAGER: airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: "True"
{{- end }}
{{- with .Values.airflow.url }}
AIRFLOW__API__BASE_URL: {{ . | quote }}
{{- end }}
# every pod has waited for the tables before it starts
AIRFLOW__DATABASE__CHECK_MIGRATIONS: "False"
AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK: "True"
# tasks take seconds here: what a killed scheduler left behind is noticed within a minute, not five
AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "60"
AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL: "60"
# a task's process that ended just after its last word is noticed after this many seconds. With the default of 5 a short
# pod can end, and its task be queued again, before the scheduler knows that the first half is over: it then takes the
# second for lost, and tries again for nothing
AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL: "1"
# DAGs come with the image and change with their pod only; parsing all of them twice a minute would be for nothing
AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: "300"
AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES: "1"
# what a DAG file says while it is parsed stands in the pod's log too, not only in /tmp
AIRFLOW__LOGGING__DAG_PROCESSOR_LOG_TARGET: stdout
# as the stages log: one object a line
AIRFLOW__LOGGING__JSON_LOGS: "True"
{{- end -}}

{{/* Where task logs are kept: for the pods that write or show them. */}}
{{- define "deftunes.airflow-logs" -}}
AIRFLOW__LOGGING__REMOTE_LOGGING: "True"
AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER: {{ .Values.airflow.logs.url | default (printf "%s/airflow-logs" (include "deftunes.lakeUrl" .)) | trimSuffix "/" | quote }}
AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID: aws_default
# credentials, region and endpoint are boto3's own business
AIRFLOW_CONN_AWS_DEFAULT: '{"conn_type": "aws"}'
# what has been uploaded need not fill /tmp
AIRFLOW__LOGGING__DELETE_LOCAL_LOGS: "True"
AWS_REGION: {{ .Values.aws.region | quote }}
# boto3 reads only this one
AWS_DEFAULT_REGION: {{ .Values.aws.region | quote }}
{{- with include "deftunes.awsEndpoint" . }}
AWS_ENDPOINT_URL: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* What the DAG files read: for the pods that parse or run them. */}}
{{- define "deftunes.airflow-pipelines" -}}
DEFTUNES_POD_TEMPLATES: /etc/deftunes/pod-templates
DEFTUNES_NAMESPACE: {{ .Release.Namespace | quote }}
# entities of each pipeline, in the order in which they are published
DEFTUNES_PIPELINES: {{ (include "deftunes.registry" . | fromJson).pipelines | toJson | quote }}
{{- range $name, $pipeline := .Values.airflow.pipelines }}
{{ include "deftunes.settingPrefix" $name }}_PIPELINE_START: {{ $pipeline.start | quote }}
{{ include "deftunes.settingPrefix" $name }}_PIPELINE_END: {{ $pipeline.end | default "" | quote }}
{{- end }}
DEFTUNES_MAINTENANCE_SCHEDULE: {{ .Values.airflow.maintenance.schedule | quote }}
{{- end -}}

{{- define "deftunes.airflowKeys" -}}
{{- .Values.airflow.keys.existingSecret | default (printf "%s-airflow-keys" (include "deftunes.fullname" .)) -}}
{{- end -}}

{{/* Secrets of a pod of Airflow, by component: each key only where something is signed, opened or sent with it. */}}
{{- define "deftunes.airflowEnv" -}}
{{- $airflow := .root.Values.airflow -}}
{{- $keys := include "deftunes.airflowKeys" .root -}}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  valueFrom:
    secretKeyRef: {name: {{ $airflow.existingSecret }}, key: database-url}
# opens what is encrypted in the database
- name: AIRFLOW__CORE__FERNET_KEY
  valueFrom:
    secretKeyRef: {name: {{ $keys }}, key: fernet-key}
{{- if has .component (list "airflow-api-server" "airflow-scheduler") }}
# the scheduler signs its tasks' tokens, the API server checks them and signs people's
- name: AIRFLOW__API_AUTH__JWT_SECRET
  valueFrom:
    secretKeyRef: {name: {{ $keys }}, key: jwt-secret}
{{- end }}
{{- if has .component (list "airflow-api-server" "airflow-scheduler" "airflow-triggerer") }}
# sessions of people, and the API server's right to fetch logs from the other two
- name: AIRFLOW__API__SECRET_KEY
  valueFrom:
    secretKeyRef: {name: {{ $keys }}, key: session-secret}
{{- end }}
{{- if and $airflow.alerts (has .component (list "airflow-scheduler" "airflow-dag-processor")) }}
- name: DEFTUNES_ALERT_WEBHOOK
  valueFrom:
    secretKeyRef: {name: {{ $airflow.existingSecret }}, key: alert-webhook}
- name: AIRFLOW_CONN_DEFTUNES_ALERTS
  value: '{"conn_type": "http", "host": "$(DEFTUNES_ALERT_WEBHOOK)"}'
{{- end }}
{{- if .admin }}
- name: DEFTUNES_AIRFLOW_ADMIN_USER
  value: {{ $airflow.admin.user | quote }}
- name: DEFTUNES_AIRFLOW_ADMIN_EMAIL
  value: {{ $airflow.admin.email | quote }}
- name: DEFTUNES_AIRFLOW_ADMIN_PASSWORD_FILE
  value: /etc/deftunes/airflow/admin-password
{{- end }}
{{- end -}}

{{/*
deftunes.airflowPod   root, component, of (the component's values), settings (ConfigMaps, without airflow-) and what else
                      deftunes.podBody takes: a pod of Airflow, anew when its settings change. All but the set-up's own
                      wait for the tables that it makes: ten minutes, then the waiting starts again
*/}}
{{- define "deftunes.airflowPod" -}}
{{- $root := .root -}}
{{- $settings := list -}}
{{- $data := "" -}}
{{- range .settings -}}
{{- $name := printf "airflow-%s" . -}}
{{- $settings = append $settings $name -}}
{{- $data = print $data (include (printf "deftunes.%s" $name) $root) -}}
{{- end -}}
{{- $wait := list "db" "check-migrations" "--migration-wait-timeout" "600" -}}
{{- include "deftunes.podBody" (merge (dict
      "image" "airflow" "airflow" true "container" (trimPrefix "airflow-" .component) "settings" $settings
      "annotations" (dict "checksum/settings" (sha256sum $data))
      "init" (ternary list $wait (eq .component "airflow-setup"))
      "grace" .of.terminationGracePeriodSeconds "resources" .of.resources "tmpSize" .of.tmpSize
      "placement" (index $root.Values.placement .component)) .) -}}
{{- end -}}

{{/* A probe by Airflow's own command, which imports all of it for eight seconds of a core: hence so rarely. */}}
{{- define "deftunes.airflowJobProbe" -}}
exec:
  command: [airflow, jobs, check, --job-type, {{ . }}, --local]
initialDelaySeconds: 300
periodSeconds: 300
timeoutSeconds: 60
failureThreshold: 2
{{- end -}}
