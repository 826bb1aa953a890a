# The front door. Every target sets up what it needs, asks nothing, and may be run again at any time.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
SERVICES := $(BIN)/python -m tests.services
# The first of these that runs and is new enough; make PYTHON=… names another.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
endif
PYTEST_ARGS ?=
# Processes that share the tests out, each with servers of its own; 0: one, in the foreground.
WORKERS ?= 2

.PHONY: help
help: ## What there is (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── Set-up ──────────────────────────────────────────────────────────────────────────────────────────

.PHONY: setup
setup: $(STAMP) ## Make .venv with everything pinned in requirements/ (again only when that changes)

$(STAMP): requirements/dev.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then
		echo "No Python 3.11 or newer on the PATH. Install one, or name it: make PYTHON=/path/to/python3" >&2
		exit 78
	fi
	if ! "$(PYTHON)" -c 'import ensurepip' 2>/dev/null; then
		# Debian and Ubuntu ship venv in a package of its own.
		package="python$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			echo "Missing: $$package. Installing it with apt-get."
			export DEBIAN_FRONTEND=noninteractive
			apt-get -qq update </dev/null
			apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$$package" </dev/null >/dev/null
		else
			echo "$(PYTHON) cannot make virtual environments. Install $$package (Debian, Ubuntu)." >&2
			exit 78
		fi
	fi
	echo "Setting up $(VENV) with $$("$(PYTHON)" --version)"
	[ -x $(BIN)/python ] || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	# The project itself comes from this checkout alone: nothing unpinned can slip in.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: requirements
requirements: setup ## Pin again: the newest versions pyproject.toml allows, for every platform
	@.ci/requirements

# ── Services and the demo ───────────────────────────────────────────────────────────────────────────

.PHONY: up
up: setup ## Start Kafka and PostgreSQL, write .local/env (to be sourced)
	@$(SERVICES) up
	echo "Next: source .local/env"

.PHONY: down
down: ## Stop exactly what `make up` started
	@if [ -d .local ]; then "$(PYTHON)" -m tests.services down; fi

.PHONY: demo
demo: setup ## 200,000 events end to end: Kafka → PostgreSQL → statistics, counted and proven
	@docs/demo.sh

.PHONY: screenshots
screenshots: setup ## The pictures in docs/images, taken anew from a dashboard with simulated events
	@$(SERVICES) tools
	$(SERVICES) up
	source .local/env
	$(BIN)/python -m tests.dashboard.screenshots

# ── Quality ─────────────────────────────────────────────────────────────────────────────────────────

.PHONY: test
test: setup ## All tests, on real servers (PYTEST_ARGS="-k name" for some, WORKERS=0 for one process)
	@$(SERVICES) tools
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: check
check: setup ## What CI runs: format, lint, types, imports, SQL, compose file, tests; minutes of each
	@.ci/suites

.PHONY: simulate
simulate: setup ## 10,000 random lives of the pipeline on fakes that misbehave (SEEDS=n; some 5 minutes)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000)

.PHONY: hostile
hostile: setup ## A million hostile values, spoiled at random, judged by both paths of the decoder (CASES=n)
	@$(BIN)/python -m tests.mutation --cases $(or $(CASES),1000000)

.PHONY: soak
soak: setup ## Worker and refresher under load and faults, weighed; slices add up (MINUTES=28, RATE=measured)
	@$(SERVICES) tools
	$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),28) $(if $(RATE),--rate $(RATE))

.PHONY: faults
faults: setup ## Kills, crashes, cuts, full disks, dead brokers, judged; goes on where it ended (MINUTES=25)
	@$(SERVICES) tools
	$(BIN)/python -m tests.faults --minutes $(or $(MINUTES),25) $(FAULTS_ARGS)

.PHONY: format
format: setup ## Format and fix what can be fixed by machine
	@$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --quiet sql

.PHONY: audit
audit: setup ## Dependencies: known vulnerabilities, licences, bill of materials (dist/sbom.json)
	@.ci/audit

# What `make bench` runs, in under 15 minutes on two cores; the others take longer.
BENCHES := ingest duplicates stages refresh refresh_views freshness reading
BENCHES_LONG := migration browsing scaling memory backup growth

.PHONY: bench
bench: setup ## Speed beside psql and SQL, under 15 minutes; then make bench-report (BENCH=--quick: 3)
	@echo "Under 15 minutes. Nothing else should run here meanwhile."
	for name in $(BENCHES); do $(BIN)/python -m "bench.$$name" $(BENCH); done

.PHONY: bench-long
bench-long: setup ## Migration, dashboard, workers, memory with 5 million waiting, backup, growth to 30 million events
	@for name in $(BENCHES_LONG); do $(BIN)/python -m "bench.$$name" $(BENCH); done

.PHONY: bench-peers
bench-peers: setup ## One worker beside FastStream, Quix Streams, Kafka Connect; installs them first (15 minutes)
	@$(BIN)/python -m bench.peers $(BENCH)

.PHONY: bench-report
bench-report: setup ## Write what was measured last into docs/performance.md and docs/images
	@$(BIN)/python -m bench.page

.PHONY: clean
clean: ## Stop the services, remove their data, .venv and caches
	@if [ -d .local ]; then "$(PYTHON)" -m tests.services clean; fi
	rm -rf $(VENV) .local dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
