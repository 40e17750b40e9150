// Images of every stage. One platform, for this machine: `docker buildx bake`. Published, for two, with SBOM and
// provenance: `REGISTRY=registry.example/team VERSION=1.2.3 BASE=docker-image://python@sha256:… docker buildx bake
// release`. Only checks: `… bake validate`.

variable "REGISTRY" {
  description = "registry and path before the repository; nothing answers to the default, whose images stay here"
  default     = "deftunes.local"
}

variable "REPOSITORY" {
  default = "deftunes"
}

variable "VERSION" {
  default = "0.1.0"
  validation {
    condition     = VERSION != "latest" && VERSION != ""
    error_message = "VERSION must name one build: 'latest' names another one every day."
  }
}

variable "BASE" {
  description = "image with Python 3.11 on Debian, or target:rootfs for a root file system in the folder ROOTFS"
  default     = "docker-image://python:3.11-slim-bookworm"
  // a tag names another image tomorrow: what somebody else is to run stands on one that cannot change
  validation {
    condition     = REGISTRY == "deftunes.local" || can(regex("^docker-image://.+@sha256:[0-9a-f]{64}$", BASE))
    error_message = "Images for a registry need a base by digest: BASE=docker-image://python:3.11-slim-bookworm@sha256:…, which `docker buildx imagetools inspect python:3.11-slim-bookworm` tells. Look at what you take on, then write it down."
  }
}

variable "ROOTFS" {
  description = "folder with rootfs.tar, for BASE=target:rootfs"
  default     = "."
}

variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

variable "REVISION" {
  default = ""
}

function "names" {
  params = [image]
  result = ["${REGISTRY}/${REPOSITORY}/${image}:${VERSION}"]
}

group "default" {
  targets = ["extract", "lake", "transform", "quality", "dbt", "airflow", "simulator"]
}

group "release" {
  targets = ["release-images"]
}

group "validate" {
  targets = ["validate-dockerfiles"]
}

// what all have in common: the base, the package manager's cache, a private certificate authority where there is one
target "_common" {
  args = {
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
  labels = {
    "org.opencontainers.image.title"    = "DeFtunes data platform"
    "org.opencontainers.image.version"  = VERSION
    "org.opencontainers.image.revision" = REVISION
  }
}

target "rootfs" {
  inherits          = ["_common"]
  context           = ROOTFS
  dockerfile-inline = "FROM scratch\nADD rootfs.tar /\nCMD [\"/bin/sh\"]\n"
}

target "runtime" {
  inherits = ["_common"]
  context  = "jobs/contract"
  target   = "runtime"
  contexts = { base = BASE }
}

target "uv" {
  inherits = ["_common"]
  context  = "jobs/contract"
  target   = "uv"
  contexts = { base = BASE }
}

target "contract" {
  inherits = ["_common"]
  context  = "jobs/contract"
  target   = "contract"
  contexts = { base = BASE }
}

target "extract" {
  inherits = ["_common"]
  context  = "jobs/extract"
  contexts = { contract = "target:contract", uv = "target:uv" }
  tags     = names("extract")
}

target "lake" {
  inherits = ["_common"]
  context  = "jobs/lake"
  contexts = { contract = "target:contract", uv = "target:uv" }
  tags     = names("lake")
}

target "transform" {
  inherits = ["_common"]
  context  = "jobs/transform"
  contexts = { lake = "target:lake", uv = "target:uv" }
  tags     = names("transform")
}

target "quality" {
  inherits = ["_common"]
  context  = "jobs/quality"
  contexts = { lake = "target:lake", uv = "target:uv" }
  tags     = names("quality")
}

target "dbt" {
  inherits = ["_common"]
  context  = "jobs/dbt"
  contexts = { contract = "target:contract", uv = "target:uv" }
  tags     = names("dbt")
}

target "airflow" {
  inherits = ["_common"]
  context  = "airflow"
  contexts = { base = "target:runtime", uv = "target:uv" }
  tags     = names("airflow")
}

target "simulator" {
  inherits = ["_common"]
  context  = "simulator"
  contexts = { base = "target:runtime", uv = "target:uv" }
  tags     = names("simulator")
}

target "release-images" {
  name      = "release-${image}"
  inherits  = [image]
  matrix    = { image = ["extract", "lake", "transform", "quality", "dbt", "airflow", "simulator"] }
  platforms = ["linux/amd64", "linux/arm64"]
  attest    = ["type=provenance,mode=max", "type=sbom"]
  output    = ["type=registry"]
}

target "validate-dockerfiles" {
  name     = "validate-${image}"
  inherits = [image]
  matrix   = { image = ["contract", "extract", "lake", "transform", "quality", "dbt", "airflow", "simulator"] }
  call     = "check"
}
