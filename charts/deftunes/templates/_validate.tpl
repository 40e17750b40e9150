{{/* Contradictions the schema cannot see. Each sentence says what to do. Called once, by the settings. */}}
{{- define "deftunes.validate" -}}
{{- $v := .Values -}}
{{- include "deftunes.validateForms" . -}}
{{- include "deftunes.validateAdded" . -}}
{{- if not $v.credentials.existingSecret -}}
{{- fail "credentials.existingSecret is empty: make a Secret with the key songs-dsn in this namespace and name it; the chart never makes one" -}}
{{- end -}}
{{- if eq $v.image.tag "latest" -}}
{{- fail "image.tag is latest, which names another image tomorrow: give a version, or digests" -}}
{{- end -}}
{{- $roles := list -}}
{{- range $name, $account := $v.serviceAccounts -}}
{{- if $account.annotations -}}{{- $roles = append $roles $name -}}{{- end -}}
{{- end -}}
{{- if $v.evaluation.enabled -}}
{{- if eq $v.environment "production" -}}
{{- fail "evaluation.enabled together with environment production: the evaluation keeps its lake in memory; switch one of them off" -}}
{{- end -}}
{{- if $roles -}}
{{- fail (printf "evaluation.enabled together with serviceAccounts.%s.annotations: an evaluation has its own cloud and must not hold a real role; remove the annotations" (first $roles)) -}}
{{- end -}}
{{- if eq $v.serving.target "redshift" -}}
{{- fail "evaluation.enabled together with serving.target redshift: an evaluation has no warehouse; set serving.target to embedded" -}}
{{- end -}}
{{- if or $v.lake.url $v.api.url $v.aws.endpoint -}}
{{- fail "evaluation.enabled together with lake.url, api.url or aws.endpoint: an evaluation brings its own; leave the three empty" -}}
{{- end -}}
{{- else -}}
{{- if not $v.lake.url -}}
{{- fail "lake.url is empty: name the bucket, e.g. s3://my-lake/deftunes, or set evaluation.enabled for a trial without a cloud" -}}
{{- end -}}
{{- if not $v.api.url -}}
{{- fail "api.url is empty: name the root of the shop's API, or set evaluation.enabled for a trial with a simulated shop" -}}
{{- end -}}
{{- if and $v.credentials.awsKeys $roles -}}
{{- fail (printf "credentials.awsKeys together with serviceAccounts.%s.annotations: keys in the environment win over the pod's role; keep one of them" (first $roles)) -}}
{{- end -}}
{{- end -}}
{{- if eq $v.environment "production" -}}
{{- if $v.aws.endpoint -}}
{{- fail "environment production together with aws.endpoint: that is for stand-ins of AWS; leave it empty" -}}
{{- end -}}
{{- $unpinned := list -}}
{{- $images := list "extract" "lake" "transform" "quality" "dbt" -}}
{{- range $image := ternary (append $images "airflow") $images $v.airflow.enabled -}}
{{- if not (index $v.image.digests $image) -}}{{- $unpinned = append $unpinned $image -}}{{- end -}}
{{- end -}}
{{- if and $unpinned (or (has $v.image.registry (list "" "deftunes.local")) (not $v.image.tag)) -}}
{{- fail (printf "environment production with images that are not pinned (%s): give image.digests for them, or your image.registry and image.tag" (join ", " $unpinned)) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.environment "production") $v.networkPolicy.enabled -}}
{{- include "deftunes.validateEgress" (set (deepCopy $v) "registry" (include "deftunes.registry" . | fromJson)) -}}
{{- end -}}
{{- if eq $v.serving.target "redshift" -}}
{{- if not (and $v.redshift.host (or $v.redshift.user (eq $v.redshift.auth "iam"))) -}}
{{- fail "serving.target is redshift, but redshift.host or redshift.user is empty: give both" -}}
{{- end -}}
{{- if and (eq $v.redshift.auth "iam") (not (or $v.redshift.workgroup $v.redshift.cluster)) -}}
{{- fail "redshift.auth is iam, but redshift.workgroup and redshift.cluster are empty: name the one that AWS shall give credentials for" -}}
{{- end -}}
{{- if $v.serving.url -}}
{{- fail "serving.target is redshift, but serving.url names a DuckDB file: leave it empty" -}}
{{- end -}}
{{- end -}}
{{- with $v.spark.executors -}}
{{- if gt (int .instances.min) (int .instances.max) -}}
{{- fail "spark.executors.instances.min is above max: lower the one or raise the other" -}}
{{- end -}}
{{- end -}}
{{- if $v.airflow.enabled -}}
{{- include "deftunes.validateAirflow" $v -}}
{{- end -}}
{{- $own := include "deftunes.settings" . | fromYaml -}}
{{- range $name, $_ := $v.extraSettings -}}
{{- if or (hasKey $own $name) (hasPrefix "DEFTUNES_SPARK_EXECUTOR" $name) (has $name (list "DEFTUNES_SPARK_MASTER" "DEFTUNES_SPARK_DRIVER_MEMORY" "DEFTUNES_SONGS_DSN_FILE")) -}}
{{- fail (printf "extraSettings.%s: the chart sets this one itself; use its own value instead" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Forms of single values. The schema could hold them too, but says no more than "does not match pattern".
*/}}
{{- define "deftunes.validateForms" -}}
{{- $v := .Values -}}
{{- $month := "expected the first day of a month, such as 2020-02-01" -}}
{{- $bucket := "expected a bucket and perhaps a prefix, such as s3://my-lake/deftunes" -}}
{{- $forms := list
      (list "fullnameOverride" $v.fullnameOverride "[a-z0-9]([a-z0-9-]{0,33}[a-z0-9])?" "expected at most 35 small letters, digits and dashes, because names of workloads follow")
      (list "nameOverride" $v.nameOverride "[a-z0-9]([a-z0-9-]{0,33}[a-z0-9])?" "expected at most 35 small letters, digits and dashes")
      (list "interval.start" $v.interval.start "[0-9]{4}-(0[1-9]|1[0-2])-01" $month)
      (list "interval.end" $v.interval.end "[0-9]{4}-(0[1-9]|1[0-2])-01" $month)
      (list "runId" $v.runId "[A-Za-z0-9][A-Za-z0-9_.-]*" "expected letters, digits, dots, dashes and underscores")
      (list "lake.url" $v.lake.url "s3://[a-z0-9][a-z0-9.-]+(/.*)?" $bucket)
      (list "airflow.logs.url" $v.airflow.logs.url "s3://[a-z0-9][a-z0-9.-]+(/.*)?" $bucket)
      (list "serving.url" $v.serving.url "s3://.+\\.duckdb" "expected a file that ends with .duckdb, such as s3://my-lake/deftunes/serving.duckdb")
      (list "aws.endpoint" $v.aws.endpoint "https?://.+" "expected an address such as http://moto:5000")
      (list "api.url" $v.api.url "https?://[^@]+" "expected an address such as https://shop.example/api; credentials belong into a Secret (sources.api)")
      (list "proxy.http" $v.proxy.http "https?://[^@/]+(:[0-9]+)?" "expected an address such as http://proxy.example:3128, without a password: values are no place for one")
      (list "proxy.https" $v.proxy.https "https?://[^@/]+(:[0-9]+)?" "expected an address such as http://proxy.example:3128, without a password: values are no place for one")
      (list "airflow.url" $v.airflow.url "https?://[^/@]+" "expected scheme and host, such as https://airflow.example: Airflow has no path before it")
      (list "airflow.maintenance.schedule" $v.airflow.maintenance.schedule "(\\S+\\s+){4}\\S+" "expected five fields of cron, such as 0 4 * * 0") -}}
{{- range $name, $pipeline := $v.airflow.pipelines -}}
{{- $forms = append $forms (list (printf "airflow.pipelines.%s.start" $name) ($pipeline.start | default "nothing") "[0-9]{4}-(0[1-9]|1[0-2])-01" $month) -}}
{{- $forms = append $forms (list (printf "airflow.pipelines.%s.end" $name) $pipeline.end "[0-9]{4}-(0[1-9]|1[0-2])-01" (printf "%s, or nothing to go on for ever" $month)) -}}
{{- end -}}
{{- range $image, $digest := $v.image.digests -}}
{{- $forms = append $forms (list (printf "image.digests.%s" $image) $digest "sha256:[0-9a-f]{64}" "expected sha256: and 64 hexadecimal digits, which `docker buildx imagetools inspect` tells") -}}
{{- end -}}
{{- range $name, $_ := $v.extraSettings -}}
{{- $forms = append $forms (list (printf "extraSettings.%s" $name) $name "(DEFTUNES|AWS|PG|REDSHIFT)[A-Z0-9_]*" "expected a setting of docs/settings.md; give other variables by extraEnv") -}}
{{- if regexMatch "PASS|SECRET|TOKEN|ACCESS_KEY|DSN$" $name -}}
{{- fail (printf "extraSettings.%s: a secret must not stand in values; put it into a Secret and name that by extraEnv" $name) -}}
{{- end -}}
{{- end -}}
{{- range $server, $source := $v.sources -}}
{{- $forms = append $forms (list (printf "sources.%s.url" $server) $source.url "https?://[^@]+" "expected an address such as https://billing.example/v1; credentials belong into a Secret (tokenSecret, passwordSecret)") -}}
{{- end -}}
{{- range $forms -}}
{{- if and (index . 1) (not (regexMatch (printf "^(%s)$" (index . 2)) (toString (index . 1)))) -}}
{{- $found := toString (index . 1) -}}
{{- fail (printf "%s: %s, found %s" (first .) (last .) (ternary "an address with a user or password" $found (contains "@" $found))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What added contracts, their sources, and the openings for a team's own must agree in. */}}
{{- define "deftunes.validateAdded" -}}
{{- $v := .Values -}}
{{- $registry := include "deftunes.registry" . | fromJson -}}
{{- $_ := include "deftunes.workloads" . -}}
{{- $wants := dict "api" "url" "postgres" "dsnSecret" -}}
{{- range $server, $source := $v.sources -}}
{{- if not (hasKey $registry.servers $server) -}}
{{- fail (printf "sources.%s: no contract reads a server of this name (there are %s); correct it, or add the contract to contracts.files" $server (keys $registry.servers | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and (eq $server "api") $source.url -}}
{{- fail "sources.api.url: the shop's address is api.url; leave this one out" -}}
{{- end -}}
{{- if and (eq $server "songs") $source.dsnSecret -}}
{{- fail "sources.songs.dsnSecret: the songs database's address is the key songs-dsn of credentials.existingSecret; leave this one out" -}}
{{- end -}}
{{- if and $source.caSecret $source.caConfigMap -}}
{{- fail (printf "sources.%s.caSecret together with caConfigMap: keep one of them" $server) -}}
{{- end -}}
{{- end -}}
{{- range $name, $entity := $registry.entities -}}
{{- if $entity.file -}}
{{- $type := (index $registry.servers $entity.server).type -}}
{{- $wanted := index $wants $type -}}
{{- if not $wanted -}}
{{- fail (printf "contracts.files.%s: server %s is of type %s; expected api or postgres" $entity.file $entity.server (toString $type)) -}}
{{- end -}}
{{- if and (not (has $entity.server (list "api" "songs"))) (not (index (index $v.sources $entity.server | default dict) $wanted)) -}}
{{- fail (printf "contracts.files.%s reads the server %s, but sources.%s.%s is empty: say where it is" $entity.file $entity.server $entity.server $wanted) -}}
{{- end -}}
{{- if and $v.airflow.enabled (not (hasKey $v.airflow.pipelines $entity.pipeline)) -}}
{{- fail (printf "contracts.files.%s is in the pipeline %s, but airflow.pipelines.%s is empty: give start, the first day of its first month" $entity.file $entity.pipeline $entity.pipeline) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := $v.airflow.pipelines -}}
{{- if not (hasKey $registry.pipelines $name) -}}
{{- fail (printf "airflow.pipelines.%s: no contract is in a pipeline of this name (there are %s); correct it, or add the contract to contracts.files" $name (keys $registry.pipelines | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- $accounts := dict -}}
{{- range $component, $account := $v.serviceAccounts -}}
{{- if and (eq (toString $account.create) "false") (not $account.name) -}}
{{- fail (printf "serviceAccounts.%s.create is false: name the account that its pods shall use" $component) -}}
{{- end -}}
{{- with $account.name -}}
{{- if hasKey $accounts . -}}
{{- fail (printf "serviceAccounts.%s.name is %s, as that of %s: give each component an account of its own, so that none has another one's rights" $component . (index $accounts .)) -}}
{{- end -}}
{{- $_ := set $accounts . $component -}}
{{- end -}}
{{- end -}}
{{- if and $v.caBundle.configMap $v.caBundle.secret -}}
{{- fail "caBundle.configMap together with caBundle.secret: keep one of them" -}}
{{- end -}}
{{- if and (or $v.proxy.http $v.proxy.https) $v.networkPolicy.enabled (not $v.networkPolicy.egress.proxy) -}}
{{- fail "proxy without networkPolicy.egress.proxy: name the proxy's network and port there, or no pod reaches it" -}}
{{- end -}}
{{- end -}}

{{/* Openings of a production that lead everywhere: the internet, a half of it, or any network wider than /8. */}}
{{- define "deftunes.validateEgress" -}}
{{- $egress := .networkPolicy.egress -}}
{{- $used := list "aws" "api" "songs" -}}
{{- if or .proxy.http .proxy.https -}}{{- $used = append $used "proxy" -}}{{- end -}}
{{- if or .airflow.enabled .spark.executors.enabled -}}{{- $used = append $used "kubernetes" -}}{{- end -}}
{{- if .airflow.enabled -}}{{- $used = append $used "airflowDatabase" -}}{{- end -}}
{{- if and .airflow.enabled .airflow.alerts -}}{{- $used = append $used "alerts" -}}{{- end -}}
{{- $named := dict -}}
{{- range $used -}}
{{- $cidrs := list -}}
{{- range index $egress . -}}{{- $cidrs = append $cidrs .cidr -}}{{- end -}}
{{- $_ := set $named (printf "egress.%s" .) $cidrs -}}
{{- end -}}
{{- if eq .serving.target "redshift" -}}{{- $_ := set $named "egress.redshift" $egress.redshift -}}{{- end -}}
{{- $values := . -}}
{{- $sources := list -}}
{{- range $server, $facts := .registry.servers -}}
{{- range include "deftunes.sourceEgress" (dict "root" (dict "Values" $values) "server" $server "type" $facts.type) | fromJsonArray -}}
{{- if lt (int (splitList "/" .cidr | last)) 8 -}}{{- $sources = append $sources (printf "sources.%s.egress: %s" $server .cidr) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $wide := list -}}
{{- range $where, $cidrs := $named -}}
{{- range $cidrs -}}
{{- if lt (int (splitList "/" . | last)) 8 -}}{{- $wide = append $wide (printf "%s: %s" $where .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .networkPolicy.dns -}}{{- $wide = append $wide "dns: empty, which is port 53 anywhere" -}}
{{- else -}}
{{- range .networkPolicy.dns -}}
{{- if lt (int (splitList "/" . | last)) 8 -}}{{- $wide = append $wide (printf "dns: %s" .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $sources -}}
{{- fail (printf "environment production with ways out to everywhere (%s): name the networks of these sources, as {cidr, ports}" (join ", " $sources)) -}}
{{- end -}}
{{- if $wide -}}
{{- fail (printf "environment production with ways out to everywhere (networkPolicy.%s): name the networks of what is there; `deftunes values` writes those of a stack" (join ", networkPolicy." $wide)) -}}
{{- end -}}
{{- end -}}

{{- define "deftunes.validateAirflow" -}}
{{- $evaluation := .evaluation.enabled -}}
{{- with .airflow -}}
{{- if not .existingSecret -}}
{{- fail "airflow.existingSecret is empty: make a Secret with the key database-url in this namespace and name it, or set airflow.enabled to false" -}}
{{- end -}}
{{- if and (eq .auth "simple") (not $evaluation) -}}
{{- fail "airflow.auth is simple, which makes everybody administrator: set it to fab, or evaluation.enabled for a trial" -}}
{{- end -}}
{{- if and .logs.url $evaluation -}}
{{- fail "evaluation.enabled together with airflow.logs.url: an evaluation has one bucket, its own; leave it empty" -}}
{{- end -}}
{{- range $name, $pipeline := .pipelines -}}
{{- if and $pipeline.end (lt $pipeline.end $pipeline.start) -}}
{{- fail (printf "airflow.pipelines.%s.end is before its start: give a later month, or leave it empty to go on for ever" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
