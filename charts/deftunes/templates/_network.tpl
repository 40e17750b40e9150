{{/* Openings. What is not named here stays closed by default-networkpolicy.yaml. */}}
{{- define "deftunes.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "deftunes.metadata" (dict "root" .root "suffix" .component "component" .component) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "deftunes.selector" (dict "root" .root "component" .component) | nindent 6 }}
{{- end -}}

{{/* Egress to a list of {cidr, ports}. */}}
{{- define "deftunes.toBlocks" -}}
{{- range . }}
- to:
    - ipBlock:
        cidr: {{ .cidr }}
  ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* One peer: the pods of a component of this release. */}}
{{- define "deftunes.peer" -}}
- podSelector:
    matchLabels:
      {{- include "deftunes.selector" . | nindent 6 }}
{{- end -}}

{{/* Peer: whatever runs a Spark driver. */}}
{{- define "deftunes.driverPeer" -}}
- podSelector:
    matchLabels:
      {{- include "deftunes.selector" (dict "root" .) | nindent 6 }}
      deftunes.io/spark-driver: "true"
{{- end -}}

{{/* S3, Glue, STS: the stand-in's pod in an evaluation. */}}
{{- define "deftunes.toCloud" -}}
{{- if .Values.evaluation.enabled }}
- to:
    {{- include "deftunes.peer" (dict "root" . "component" "cloud") | nindent 4 }}
  ports:
    - {protocol: TCP, port: 5000}
{{- else }}
{{- include "deftunes.toBlocks" .Values.networkPolicy.egress.aws }}
{{- end }}
{{- end -}}

{{/* Openings to a source, as JSON: those named, else for an added one outside of an evaluation its protocol's port. */}}
{{- define "deftunes.sourceEgress" -}}
{{- $named := (index .root.Values.sources .server | default dict).egress -}}
{{- $port := ternary 5432 443 (eq .type "postgres") -}}
{{- if $named -}}{{- toJson $named -}}
{{- else if or (has .server (list "api" "songs")) .root.Values.evaluation.enabled -}}[]
{{- else -}}{{- list (dict "cidr" "0.0.0.0/0" "ports" (list $port)) | toJson -}}
{{- end -}}
{{- end -}}

{{/* What builds or reads the serving tables: to the cloud, and to the warehouse where there is one. */}}
{{- define "deftunes.servingPolicy" -}}
{{- include "deftunes.policy" . }}
  policyTypes: [Egress]
  egress:
    {{- include "deftunes.toCloud" .root | trim | nindent 4 }}
    {{- if eq .root.Values.serving.target "redshift" }}
    {{- range .root.Values.networkPolicy.egress.redshift }}
    - to:
        - ipBlock:
            cidr: {{ . }}
      ports:
        - {protocol: TCP, port: {{ $.root.Values.redshift.port }}}
    {{- end }}
    {{- end }}
{{- end -}}

{{/* Airflow's database: the evaluation's own pod, or the named addresses. */}}
{{- define "deftunes.toAirflowDatabase" -}}
{{- if .Values.evaluation.enabled }}
- to:
    {{- include "deftunes.peer" (dict "root" . "component" "airflow-database") | nindent 4 }}
  ports:
    - {protocol: TCP, port: 5432}
{{- else }}
{{- include "deftunes.toBlocks" .Values.networkPolicy.egress.airflowDatabase }}
{{- end }}
{{- end -}}
