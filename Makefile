# The verbs of the platform; CI uses the same. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Some machines tell Python to keep no compiled modules. Each of a test run's hundred processes would then compile
# thousands of them anew: 13 s of processor time for what one pipeline run imports, instead of 6
unexport PYTHONDONTWRITEBYTECODE

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deftunes
UV_VERSION := 0.13.9
TOOLS := $(CACHE)/tools/uv-$(UV_VERSION)
UV := $(TOOLS)/bin/uv
# --frozen --no-sync: what `make setup` made is used as it is
IN := $(UV) run --frozen --no-sync

# demo's world: SCALE = items a month, SEED, or real songs with SONGS_CSV=file[.gz]
SCALE ?= 2000
SEED ?= 42
SONGS_CSV ?=
TEST ?= tests
# a suite of its own: heavy, and about another warehouse than this machine's
REDSHIFT := tests/warehouse/redshift
# folder for JUnit reports, one per suite
REPORTS ?=
report = $(if $(REPORTS),--junitxml=$(REPORTS)/$(1).xml)

.PHONY: help
help: ## list the verbs
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(UV): # the package manager, in its own environment outside the checkout
	@python3 -c 'import sys; sys.exit("expected Python 3.11 or newer, found %s.%s; install it and call make again" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	python3 -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r jobs/contract/tools.lock

.PHONY: setup
setup: $(UV) ## install everything into .venv and the cache, idempotently
	@java -version 2>&1 | grep -qE 'version "(17|21)' || { echo 'expected Java 17 on PATH, found: '"$$(java -version 2>&1 | head -n 1)"'; install a Java 17 runtime, e.g. Debian package openjdk-17-jre-headless' >&2; exit 2; }
	$(UV) sync --frozen --quiet
	$(IN) deftunes-lake jars

.PHONY: demo
demo: setup ## the whole platform on this machine: four months, gates, star schema, dashboard
	$(IN) deftunes demo --scale $(SCALE) --seed $(SEED) $(if $(SONGS_CSV),--songs-csv $(SONGS_CSV))

.PHONY: lint
lint: setup setup-infra ## style, types, layers, generated pages
	$(IN) ruff format --check .
	$(IN) ruff check .
	$(IN) mypy jobs/*/src simulator/src cli/src
	$(IN) lint-imports
	$(IN) python -m deftunes_serving.generate_sources --check
	$(IN) python -m deftunes_cli.generate_docs --check
	$(IN) python tests/images/requirements.py --check
	$(UV) run --frozen --no-sync --directory infra_pulumi mypy .

.PHONY: format
format: setup ## rewrite sources and generated pages in house style
	$(IN) ruff format .
	$(IN) ruff check --fix .
	$(IN) python -m deftunes_serving.generate_sources
	$(IN) python -m deftunes_cli.generate_docs

.PHONY: warm
warm: setup ## a class archive for Spark's JVM, recorded once a checkout (35 s): every start takes half the time
	$(IN) deftunes-lake warm

.PHONY: test
test: setup ## every test but test-redshift, e2e-infra and e2e; TEST=tests/lake for a part
	$(MAKE) --jobs=3 --output-sync=target warm $(if $(filter tests,$(TEST)),test-dags test-infra)
	# whole files to a worker: fixtures of a file, and one Spark per worker, are paid once; the files with most to do first.
	# Three workers, because on two cores two of them leave a fifth of the time unused, waiting for each other's servers
	$(IN) pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --durations=25 $(call report,stages) \
		$(TEST) $(if $(filter tests,$(TEST)),--ignore=$(REDSHIFT))

.PHONY: test-redshift
test-redshift: setup ## the serving models by the real adapter, on a stand-in of Redshift
	$(IN) pytest --numprocesses=2 --dist=loadfile --durations=10 $(call report,redshift) $(REDSHIFT)

.PHONY: test-warehouse
test-warehouse: setup ## the serving models on DuckDB, and all of test-redshift
	$(IN) pytest --numprocesses=2 --dist=loadfile --durations=10 tests/warehouse

AIRFLOW := $(UV) run --frozen --no-sync --project airflow

.PHONY: test-dags
test-dags: $(UV) ## the DAGs, in Airflow's own environment
	$(UV) sync --frozen --quiet --project airflow
	$(AIRFLOW) pytest --confcutdir=tests/dags $(call report,dags) tests/dags

INFRA := $(UV) run --frozen --no-sync --project infra_pulumi

.PHONY: setup-infra
setup-infra: $(UV)
	$(UV) sync --frozen --quiet --project infra_pulumi

.PHONY: test-infra
test-infra: setup-infra ## the cloud's program: components, policies, rights; in Pulumi's own environment
	$(INFRA) pytest --confcutdir=tests/infra --durations=5 $(call report,infra) tests/infra

.PHONY: e2e-infra
e2e-infra: setup setup-infra ## the cloud's program in Pulumi's engine, and a month of the pipeline on what it made
	$(INFRA) python tests/engine/pulumi_binary.py
	$(INFRA) pytest --confcutdir=tests/engine --durations=10 $(call report,engine) tests/engine

.PHONY: lock
lock: $(UV) ## renew uv.lock and the images' requirements from it
	$(UV) lock
	$(UV) lock --project airflow
	$(UV) lock --project infra_pulumi
	$(IN) python tests/images/requirements.py

CLUSTER := $(IN) python tests/e2e/cluster

.PHONY: cluster-tools
cluster-tools: setup ## what a cluster of our own is made of: packages and binaries, cached (root)
	$(CLUSTER) tools

.PHONY: cluster-up
cluster-up: setup ## a single-node Kubernetes on this machine, idempotently (root)
	$(CLUSTER) up

.PHONY: images
images: cluster-up ## every image, built into that cluster
	$(CLUSTER) images

.PHONY: cluster-down
cluster-down: ## stop what cluster-up started and remove its state; caches stay
	$(CLUSTER) down

.PHONY: e2e
e2e: setup ## the whole platform on Kubernetes: E2E_CONTEXT=<kubectl context>, else on a cluster of our own
	$(if $(E2E_CONTEXT),,$(MAKE) images)
	E2E=1 $(IN) pytest --timeout=1800 --durations=15 $(call report,e2e) tests/e2e

.PHONY: bench
bench: setup ## the promises of docs/performance.md, as ratios measured in one run
	$(IN) python benchmarks/extract.py
	$(IN) python benchmarks/transform.py
	$(IN) python benchmarks/quality.py

.PHONY: clean
clean: ## remove what runs made here; caches outside the checkout stay
	rm -rf .deftunes .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
