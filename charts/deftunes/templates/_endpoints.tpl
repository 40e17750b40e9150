{{/* Where things are: given by values, or the stand-ins of an evaluation. */}}
{{- define "deftunes.lakeUrl" -}}
{{- if .Values.evaluation.enabled -}} s3://lake {{- else -}} {{ .Values.lake.url | trimSuffix "/" }} {{- end -}}
{{- end -}}

{{- define "deftunes.awsEndpoint" -}}
{{- if .Values.evaluation.enabled -}} http://{{ include "deftunes.fullname" . }}-cloud:5000 {{- else -}} {{ .Values.aws.endpoint }} {{- end -}}
{{- end -}}

{{- define "deftunes.apiUrl" -}}
{{- if .Values.evaluation.enabled -}} http://{{ include "deftunes.fullname" . }}-shop:8000 {{- else -}} {{ .Values.api.url }} {{- end -}}
{{- end -}}

{{/* "true" or nothing: moto wants keys too, any will do. */}}
{{- define "deftunes.awsKeys" -}}
{{- if or .Values.credentials.awsKeys .Values.evaluation.enabled -}} true {{- end -}}
{{- end -}}

{{/* The ConfigMap's data. What a deployment adds comes last and may not say the same thing twice. */}}
{{- define "deftunes.settings" -}}
DEFTUNES_LOG_FORMAT: json
DEFTUNES_LAKE: {{ include "deftunes.lakeUrl" . | quote }}
DEFTUNES_CATALOG: {{ .Values.lake.catalog | quote }}
DEFTUNES_DATABASE: {{ .Values.lake.database | quote }}
DEFTUNES_API_URL: {{ include "deftunes.apiUrl" . | quote }}
{{- if .Values.evaluation.enabled }}
# the simulated shop is a pod of this release, reached through its NetworkPolicy and without TLS
DEFTUNES_ALLOW_UNVERIFIED: "true"
{{- end }}
AWS_REGION: {{ .Values.aws.region | quote }}
# boto3 reads only this one
AWS_DEFAULT_REGION: {{ .Values.aws.region | quote }}
{{- with include "deftunes.awsEndpoint" . }}
AWS_ENDPOINT_URL: {{ . | quote }}
{{- end }}
DEFTUNES_DBT_TARGET: {{ .Values.serving.target | quote }}
{{- if eq .Values.serving.target "embedded" }}
DEFTUNES_SERVING: {{ .Values.serving.url | default (printf "%s/serving.duckdb" (include "deftunes.lakeUrl" .)) | quote }}
{{- else }}
REDSHIFT_HOST: {{ .Values.redshift.host | quote }}
REDSHIFT_PORT: {{ int64 .Values.redshift.port | quote }}
REDSHIFT_DATABASE: {{ .Values.redshift.database | quote }}
REDSHIFT_AUTH: {{ .Values.redshift.auth | quote }}
REDSHIFT_USER: {{ .Values.redshift.user | quote }}
REDSHIFT_WORKGROUP: {{ .Values.redshift.workgroup | quote }}
REDSHIFT_CLUSTER: {{ .Values.redshift.cluster | quote }}
REDSHIFT_SPECTRUM_ROLE: {{ .Values.redshift.spectrumRole | quote }}
REDSHIFT_READERS: {{ join "," .Values.redshift.readers | quote }}
{{- end }}
{{- $conf := deepCopy .Values.spark.conf }}
{{- if .Values.spark.executors.enabled }}
{{- /* Spark writes its own 30 seconds over the executor template's */ -}}
{{- $grace := printf "%vs" .Values.spark.executors.terminationGracePeriodSeconds }}
{{- $conf = merge $conf (dict "spark.kubernetes.executor.terminationGracePeriodSeconds" $grace) }}
{{- end }}
{{- with $conf }}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- $pairs = append $pairs (printf "%s=%s" $key (include "deftunes.text" $value)) }}
{{- end }}
DEFTUNES_SPARK_CONF: {{ join ";" $pairs | quote }}
{{- end }}
{{- end -}}
