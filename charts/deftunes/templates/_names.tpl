{{/* Names and labels. Cut at 35: a CronJob's name may have 52 characters, the longest packaged workload adds 17. */}}
{{- define "deftunes.name" -}}
{{- .Values.nameOverride | default "deftunes" -}}
{{- end -}}

{{- define "deftunes.fullname" -}}
{{- $name := include "deftunes.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 35 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (.Release.Name | trunc 26 | trimSuffix "-") $name | trunc 35 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What a selector may carry: nothing that changes with a version, because selectors cannot be changed. */}}
{{- define "deftunes.selector" -}}
app.kubernetes.io/name: {{ include "deftunes.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of an object; `own` replaces commonLabels, for pods, which have more of them. */}}
{{- define "deftunes.labels" -}}
{{ include "deftunes.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: deftunes
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .own | default .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of a resource: name suffix, component. */}}
{{- define "deftunes.metadata" -}}
name: {{ include "deftunes.fullname" .root }}-{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "deftunes.labels" . | nindent 2 }}
{{- end -}}

{{/* The same of a resource outside namespaces, where releases of other namespaces have theirs. */}}
{{- define "deftunes.clusterMetadata" -}}
name: {{ include "deftunes.fullname" .root }}-{{ .suffix }}.{{ .root.Release.Namespace }}
labels:
  {{- include "deftunes.labels" . | nindent 2 }}
{{- end -}}

{{/* A number as text: Helm reads whole numbers of a file as floats and would write a million as 1e+06. */}}
{{- define "deftunes.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* The Secret whose key spark-secret drivers and executors prove to each other. */}}
{{- define "deftunes.sparkSecret" -}}
{{- .Values.spark.executors.existingSecret | default (printf "%s-spark-rpc" (include "deftunes.fullname" .)) -}}
{{- end -}}

{{/* Stages that drive executors of their own, as a JSON list. */}}
{{- define "deftunes.drivers" -}}
{{- $stages := list -}}
{{- range include "deftunes.workloads" . | fromJson -}}
{{- if .executors -}}{{- $stages = append $stages .stage -}}{{- end -}}
{{- end -}}
{{- $stages | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* registry/repository/image:tag, or @digest where one is given. */}}
{{- define "deftunes.image" -}}
{{- $image := .root.Values.image -}}
{{- $path := join "/" (compact (list $image.registry $image.repository .image)) -}}
{{- with index $image.digests .image -}}
{{ $path }}@{{ . }}
{{- else -}}
{{ $path }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Name of a component's service account, and the account itself where the chart makes it. */}}
{{- define "deftunes.serviceAccountName" -}}
{{- $account := index .root.Values.serviceAccounts .component | default dict -}}
{{- $account.name | default (printf "%s-%s" (include "deftunes.fullname" .root) .component) -}}
{{- end -}}

{{- define "deftunes.serviceAccount" -}}
{{- $account := index .root.Values.serviceAccounts .component | default dict -}}
{{- if ne (toString $account.create) "false" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "deftunes.serviceAccountName" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "deftunes.labels" . | nindent 4 }}
    {{- with $account.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}
