{{/*
Environment of a container; keys as in deftunes.podBody.

deftunes.envFrom      its ConfigMaps with settings
deftunes.env          what the chart itself sets
deftunes.extensions   extraEnv, extraEnvFrom, extraVolumes, extraVolumeMounts, podLabels and podAnnotations of a component
                      over those of all pods, as JSON. What the chart sets itself, and secrets in plain text, are refused
*/}}
{{- define "deftunes.envFrom" -}}
{{- range .settings }}
- configMapRef:
    name: {{ include "deftunes.fullname" $.root }}-{{ . }}
{{- end }}
{{- end -}}

{{- define "deftunes.env" -}}
{{- $root := .root -}}
{{- $secret := $root.Values.credentials.existingSecret -}}
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
{{- if .contracts }}
- name: DEFTUNES_CONTRACTS
  value: /etc/deftunes/contracts
{{- end }}
{{- range $server := .servers }}
{{- $prefix := include "deftunes.settingPrefix" $server }}
{{- $source := index $root.Values.sources $server | default dict }}
{{- range $key, $setting := dict "url" "URL" "user" "USER" "clientId" "CLIENT_ID" "timeout" "TIMEOUT" }}
{{- with index $source $key }}
- name: {{ $prefix }}_{{ $setting }}
  value: {{ include "deftunes.text" . | quote }}
{{- end }}
{{- end }}
{{- range include "deftunes.sourceFiles" (dict "root" $root "server" $server) | fromJsonArray }}
- name: {{ $prefix }}_{{ .setting }}
  value: /etc/deftunes/sources/{{ $server }}/{{ .path }}
{{- end }}
{{- end }}
{{- include "deftunes.proxyEnv" . }}
{{- if .spark }}
{{ include "deftunes.sparkEnv" . }}
{{- end }}
{{- if .airflow }}
{{ include "deftunes.airflowEnv" . }}
{{- end }}
{{- end -}}

{{- define "deftunes.extensions" -}}
{{- $values := .root.Values -}}
{{- $own := dict -}}
{{- if hasKey $values.stages .component -}}{{- $own = index $values.stages .component -}}
{{- else if eq .component "executor" -}}{{- $own = $values.spark.executors -}}
{{- else if eq .component "airflow-database" -}}{{- $own = $values.evaluation.airflowDatabase -}}
{{- else if hasPrefix "airflow-" .component -}}{{- $own = index $values.airflow (trimPrefix "airflow-" .component | camelcase | untitle) -}}
{{- else -}}{{- $own = index $values.evaluation .component -}}
{{- end -}}
{{- $made := dict -}}
{{- range list "podLabels" "podAnnotations" -}}
{{- $_ := set $made . (merge (dict) (index $own . | default dict) (index $values .) (ternary $values.commonLabels dict (eq . "podLabels"))) -}}
{{- end -}}
{{- range $kind, $reserved := dict "podLabels" "^(app\\.kubernetes\\.io/|helm\\.sh/|deftunes\\.io/|spark-)" "podAnnotations" "^(helm\\.sh/|checksum/)" -}}
{{- range $key, $_ := index $made $kind -}}
{{- if regexMatch $reserved $key -}}
{{- fail (printf "%s.%s: names of this kind are the chart's own, which its policies and updates go by; take another name" $kind $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range list "extraEnv" "extraEnvFrom" "extraVolumes" "extraVolumeMounts" -}}
{{- $list := index $own . | default list -}}
{{- $names := list -}}
{{- range $list -}}{{- $names = append $names .name -}}{{- end -}}
{{- /* of one name, the component's own */ -}}
{{- range index $values . -}}
{{- if or (not .name) (not (has .name $names)) -}}{{- $list = append $list . -}}{{- end -}}
{{- end -}}
{{- $_ := set $made . $list -}}
{{- end -}}
{{- $set := include "deftunes.settings" .root | fromYaml -}}
{{- range include "deftunes.env" . | fromYamlArray -}}{{- $_ := set $set .name "" -}}{{- end -}}
{{- range $made.extraEnv -}}
{{- if hasKey $set .name -}}
{{- fail (printf "extraEnv.%s: the chart sets this one itself; use its own value instead" .name) -}}
{{- end -}}
{{- if and .value (or (regexMatch "(PASS|SECRET|TOKEN|ACCESS_KEY|DSN)[A-Z]*$" .name) (regexMatch "://[^/@]*:[^/@]*@" (toString .value))) -}}
{{- fail (printf "extraEnv.%s: a secret must not stand in values; put it into a Secret and name that by valueFrom.secretKeyRef" .name) -}}
{{- end -}}
{{- end -}}
{{- range $made.extraVolumes -}}
{{- if or (has .name (list "tmp" "pod" "spark-local-dir-1" "credentials" "authority" "spark-rpc" "executor" "pod-templates" "contracts" "ca-bundle")) (hasPrefix "source-" .name) -}}
{{- fail (printf "extraVolumes.%s: the chart has a volume of this name; give yours another" .name) -}}
{{- end -}}
{{- if hasKey . "hostPath" -}}
{{- fail (printf "extraVolumes.%s is a hostPath, which restricted pods must not have; use a ConfigMap, a Secret, a claim or a CSI volume" .name) -}}
{{- end -}}
{{- end -}}
{{- $made | toJson -}}
{{- end -}}

{{/* The CA bundle's volume; nothing where there is none, and in the evaluation's own servers, which call nobody. */}}
{{- define "deftunes.caVolume" -}}
{{- $ca := .root.Values.caBundle -}}
{{- if and (or $ca.configMap $ca.secret) (ne .image "simulator") -}}
- name: ca-bundle
  {{- if $ca.configMap }}
  configMap:
    name: {{ $ca.configMap }}
  {{- else }}
  secret:
    secretName: {{ $ca.secret }}
    defaultMode: 0440
  {{- end }}
    items:
      - {key: {{ $ca.key }}, path: ca.pem}
      {{- if or .spark (eq .component "executor") }}
      - {key: {{ $ca.truststoreKey }}, path: truststore.p12}
      {{- end }}
{{- end -}}
{{- end -}}

{{/* Proxy and CA bundle, for Python and OpenSSL by their variables, for Java by properties. */}}
{{- define "deftunes.proxyEnv" -}}
{{- $ca := .root.Values.caBundle -}}
{{- $proxy := .root.Values.proxy -}}
{{- $hasCa := include "deftunes.caVolume" . -}}
{{- $java := list -}}
{{- if $hasCa }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "AWS_CA_BUNDLE" }}
- name: {{ . }}
  value: /etc/deftunes/ca/ca.pem
{{- end }}
{{- $java = list "-Djavax.net.ssl.trustStore=/etc/deftunes/ca/truststore.p12" "-Djavax.net.ssl.trustStoreType=PKCS12" (printf "-Djavax.net.ssl.trustStorePassword=%s" $ca.truststorePassword) -}}
{{- end }}
{{- if and (or $proxy.http $proxy.https) (ne .image "simulator") }}
{{- $without := concat (list "localhost" "127.0.0.1" ".svc" ".cluster.local" "169.254.169.254" "169.254.170.23" "$(KUBERNETES_SERVICE_HOST)") $proxy.noProxy }}
{{- range $scheme := list "http" "https" }}
{{- with index $proxy $scheme }}
{{- range list $scheme (upper $scheme) }}
- name: {{ . }}{{ ternary "_PROXY" "_proxy" (eq . (upper .)) }}
  value: {{ index $proxy $scheme | quote }}
{{- end }}
{{- $host := (urlParse .).host }}
{{- $port := ternary "443" "80" (hasPrefix "https:" .) }}
{{- $java = append $java (printf "-D%s.proxyHost=%s" $scheme (regexReplaceAll ":[0-9]+$" $host "")) }}
{{- $java = append $java (printf "-D%s.proxyPort=%s" $scheme (regexFind "[0-9]+$" (regexFind ":[0-9]+$" $host) | default $port)) }}
{{- end }}
{{- end }}
{{- range list "no_proxy" "NO_PROXY" }}
- name: {{ . }}
  value: {{ join "," $without | quote }}
{{- end }}
{{- $hosts := list }}
{{- range $without }}{{- $hosts = append $hosts (ternary (printf "*%s" .) . (hasPrefix "." .)) }}{{- end }}
{{- $java = append $java (printf "-Dhttp.nonProxyHosts=%s" (join "|" $hosts)) }}
{{- end }}
{{- if and $java (or .spark (eq .component "executor")) }}
# read by every `java` that starts: the driver's, its launcher's and the executors'
- name: JDK_JAVA_OPTIONS
  value: {{ join " " $java | quote }}
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
- name: DEFTUNES_SPARK_EXECUTOR_LABELS_FILE
  value: /etc/deftunes/pod/labels
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
