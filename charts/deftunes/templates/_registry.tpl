{{/*
What there is to run, as JSON.

deftunes.registry   entities {pipeline, server, role}, pipelines (entities in publish order) and servers {type}: those of
                    files/registry.yaml, which is written from the packaged contracts, and those of contracts.files
deftunes.workloads  the pods that follow from it, by name, with what values.workloads says over them
*/}}
{{- define "deftunes.registry" -}}
{{- $registry := .Files.Get "files/registry.yaml" | fromYaml -}}
{{- $added := dict -}}
{{- range $file, $text := .Values.contracts.files -}}
{{- $contract := dict -}}
{{- if hasSuffix ".yaml" $file -}}{{- $contract = fromYaml $text -}}{{- end -}}
{{- if hasKey $contract "Error" -}}
{{- fail (printf "contracts.files.%s is not YAML: %s" $file $contract.Error) -}}
{{- end -}}
{{- if eq (default "" $contract.kind) "DataContract" -}}
{{- $facts := dict -}}
{{- range $contract.customProperties -}}{{- $_ := set $facts .property .value -}}{{- end -}}
{{- $table := first ($contract.schema | default (list dict)) -}}
{{- $name := default "" $table.name -}}
{{- range $what, $value := dict "name of its first schema" $name "property server" (default "" $facts.server) "property pipeline" (default "" $facts.pipeline) -}}
{{- if not (regexMatch "^[a-z]([a-z0-9_-]{0,30}[a-z0-9])?$" $value) -}}
{{- fail (printf "contracts.files.%s: expected small letters, digits, - and _ as the %s, at most 32, found %q; pods and settings are named after it" $file $what $value) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $registry.entities $name -}}
{{- fail (printf "contracts.files.%s: there is an entity %s already; give the new one another name, or change the packaged one with kind: ContractOverlay" $file $name) -}}
{{- end -}}
{{- range $contract.servers -}}{{- $_ := set $registry.servers .server (dict "type" .type) -}}{{- end -}}
{{- $role := default "reference" $facts.role -}}
{{- $_ := set $registry.entities $name (dict "pipeline" $facts.pipeline "server" $facts.server "role" $role "file" $file) -}}
{{- $_ := set $added (printf "%d %s" (ternary 1 (ternary 2 0 (eq $role "fact")) (eq $role "dimension")) $name) $facts.pipeline -}}
{{- end -}}
{{- end -}}
{{- /* facts last, as they are published */ -}}
{{- range keys $added | sortAlpha -}}
{{- $pipeline := index $added . -}}
{{- $_ := set $registry.pipelines $pipeline (append (index $registry.pipelines $pipeline | default list) (splitList " " . | last)) -}}
{{- end -}}
{{- range $name, $entity := $registry.entities -}}
{{- if not (hasKey $registry.servers $entity.server) -}}
{{- fail (printf "contracts.files.%s: no contract defines the server %s; add it to the contract's servers, with its type" $entity.file $entity.server) -}}
{{- end -}}
{{- end -}}
{{- $registry | toJson -}}
{{- end -}}

{{- define "deftunes.workloads" -}}
{{- $registry := include "deftunes.registry" . | fromJson -}}
{{- $all := dict
      "dbt" (dict "stage" "dbt" "args" (list "build") "interval" true)
      "maintain" (dict "stage" "lake" "args" (list "maintain") "interval" false "activeDeadlineSeconds" 14400) -}}
{{- $everything := list -}}
{{- range $entities := $registry.pipelines -}}{{- $everything = concat $everything $entities -}}{{- end -}}
{{- $_ := set $all "verify" (dict "stage" "verify" "args" $everything "interval" true) -}}
{{- range $name, $entity := $registry.entities -}}
{{- $_ := set $all (printf "extract-%s" ($name | replace "_" "-")) (dict "stage" "extract" "args" (list $name) "interval" true
      "servers" (list $entity.server) "entity" $name "pipeline" $entity.pipeline) -}}
{{- end -}}
{{- range $name, $entities := $registry.pipelines -}}
{{- $suffix := $name | replace "_" "-" -}}
{{- $common := dict "interval" true "pipeline" $name -}}
{{- $_ := set $all (printf "transform-%s" $suffix) (merge (dict "stage" "transform" "args" $entities "executors" true) $common) -}}
{{- $_ := set $all (printf "quality-%s" $suffix) (merge (dict "stage" "quality" "args" $entities) $common) -}}
{{- $_ := set $all (printf "publish-%s" $suffix) (merge (dict "stage" "lake" "args" (concat (list "publish") $entities)) $common) -}}
{{- end -}}
{{- range $name, $own := .Values.workloads -}}
{{- $work := index $all $name | default dict -}}
{{- range $key, $value := $own -}}{{- $_ := set $work $key $value -}}{{- end -}}
{{- range list "stage" "args" "interval" -}}
{{- if not (hasKey $work .) -}}
{{- fail (printf "workloads.%s has no %s, and no contract makes a workload of this name (there are %s): correct the name, add a contract to contracts.files, or give stage, args and interval" $name . (keys $all | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if and $work.schedule $work.interval -}}
{{- fail (printf "workloads.%s.schedule together with interval: a CronJob cannot reckon its month; let airflow.pipelines schedule it, or set interval to false" $name) -}}
{{- end -}}
{{- $_ := set $all $name $work -}}
{{- if not (hasKey $work "enabled" | ternary $work.enabled true) -}}{{- $_ := unset $all $name -}}{{- end -}}
{{- end -}}
{{- $fullname := include "deftunes.fullname" . -}}
{{- range $name, $_ := $all -}}
{{- if gt (len (printf "%s-%s" $fullname $name)) 52 -}}
{{- fail (printf "%s-%s is longer than the 52 characters of a CronJob's name: shorten the release's name or set fullnameOverride" $fullname $name) -}}
{{- end -}}
{{- end -}}
{{- $all | toJson -}}
{{- end -}}

{{/* What a workload's pod needs of one source: {setting, path, kind, name, key} of each mounted file, as a JSON list. */}}
{{- define "deftunes.sourceFiles" -}}
{{- $source := index .root.Values.sources .server | default dict -}}
{{- $files := list -}}
{{- range $value, $file := dict
      "dsnSecret" (list "DSN_FILE" "dsn") "tokenSecret" (list "TOKEN_FILE" "token") "passwordSecret" (list "PASSWORD_FILE" "password")
      "clientSecret" (list "CLIENT_SECRET_FILE" "client-secret") "certSecret" (list "CERT_FILE" "cert.pem")
      "keySecret" (list "KEY_FILE" "key.pem") "caSecret" (list "CA_FILE" "ca.pem") "caConfigMap" (list "CA_FILE" "ca.pem") -}}
{{- with index $source $value -}}
{{- $files = append $files (dict "setting" (first $file) "path" (last $file) "kind" (ternary "configMap" "secret" (eq $value "caConfigMap")) "name" .name "key" .key) -}}
{{- end -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{/* Prefix of settings that carry the name of a source or of a pipeline: DEFTUNES_<NAME>. */}}
{{- define "deftunes.settingPrefix" -}}
DEFTUNES_{{ . | upper | replace "-" "_" }}
{{- end -}}

{{/* The workload that fetches the first entity of the shop's API: what `helm test` and the notes begin with. */}}
{{- define "deftunes.firstOfApi" -}}
{{- $registry := include "deftunes.registry" . | fromJson -}}
{{- $names := list -}}
{{- range $members := $registry.pipelines -}}
{{- range $members -}}
{{- if eq (index $registry.entities .).server "api" -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- end -}}
extract-{{ first $names | replace "_" "-" }}
{{- end -}}
