{{/* Contradictions the schema cannot see. Each sentence says what to do. Called once, by the settings. */}}
{{- define "deftunes.validate" -}}
{{- $v := .Values -}}
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
{{- include "deftunes.validateEgress" $v -}}
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

{{/* Openings of a production that lead everywhere: the internet, a half of it, or any network wider than /8. */}}
{{- define "deftunes.validateEgress" -}}
{{- $egress := .networkPolicy.egress -}}
{{- $used := list "aws" "api" "songs" -}}
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
