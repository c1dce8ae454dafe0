# `make help` lists what there is. The two that matter: `make up` and `make test`.
SHELL := /bin/sh
PYTHON ?= python3
CACHE := $(or $(SIDECART_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sidecart)
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
RUN := .venv/bin
# The longest first: workers take whole files, in this order, and all of chaos as one; tests wait more than they work.
SUITE := tests/chaos tests/e2e tests/store tests/contract tests/unit
WORKERS ?= 3
TESTS ?= $(SUITE)
MATRIX ?= tests/matrix
HEARTBEAT_S ?= 10
# Runs a command that may take minutes on a slow line, and says now and then that it is at it.
told = $(1) & job=$$!; trap 'kill $$job' INT TERM; s=0; while sleep 1; kill -0 $$job 2>/dev/null; do \
	s=$$((s + 1)); [ $$((s % $(HEARTBEAT_S))) -ne 0 ] || echo "  still at it ($$s s)"; done; wait $$job

.PHONY: help up down status test test-fast check format demo examples bench soak schemas dapr-schemas resilience matrix test-k8s clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/.synced ## Start the whole system and keep it up; DETACH=1 returns when it is ready, PROFILE=reference picks components
	@$(RUN)/sidecart up $(if $(DETACH),--detach) $(if $(PROFILE),--profile $(PROFILE))

down: .venv/.synced ## Stop everything that `make up` started
	@$(RUN)/sidecart down

status: .venv/.synced ## Show each process: pid, ready, ports, restarts, uptime
	@$(RUN)/sidecart status

test: .venv/.synced ## Run every test but the full sizes, WORKERS=3 files at a time; TESTS=path for a part
	@$(RUN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not soak and not bench and not examples and not resilience" $(TESTS)

test-fast: .venv/.synced ## Run what needs no running system: unit and contract tests
	@$(RUN)/pytest tests/unit tests/contract

check: .venv/.synced ## Lint, types, imports, formats, lock file, and what sidecars read
	@$(UV) lock --check --quiet || { echo "uv.lock is stale: run 'uv lock' and commit it"; exit 1; }
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/pyright
	$(RUN)/lint-imports --no-cache
	$(RUN)/yamllint --strict .
	$(RUN)/sidecart check

format: .venv/.synced ## Put the sources into their one format
	@$(RUN)/ruff check --fix . && $(RUN)/ruff format .

demo: .venv/.synced ## Take a client's tour through the running system, printing each call
	@$(RUN)/sidecart demo

examples: .venv/.synced ## Run the examples in JavaScript and Go; fetches what they are built with, once
	@$(RUN)/pytest -m examples tests/e2e

resilience: .venv/.synced ## Trouble every link, edit policies, move documents, rotate certificates, replace replicas; 10 minutes
	@$(RUN)/pytest -m resilience tests/e2e tests/chaos tests/resilience

matrix: .venv/.synced ## Run one suite on every profile and product, then swap them under load; MATRIX=path for a part
	@$(RUN)/pytest -s -rfE -m "not soak" $(MATRIX)

test-k8s: .venv/.synced ## Send the manifests to a real API server and Dapr's injector, alerts to promtool; the first run builds them
	@$(RUN)/pytest -m k8s tests/k8s

bench: .venv/.synced ## Measure this machine's limits and the running system against them (or one of its own), in 3 minutes
	@$(RUN)/python -m tests.bench $(BENCH)

soak: .venv/.synced ## Run the tests at their full sizes; takes hours
	@$(RUN)/pytest -m soak --hypothesis-profile exploring tests

schemas: .venv/.synced ## Write the events' schemas, docs/schemas, anew, to be reviewed
	@$(RUN)/python -m tests.contract.test_events

dapr-schemas: .venv/.synced ## Write Dapr's own description of its files anew, after a change of dapr/runtime/go.mod
	@$(RUN)/python -m stack.check.upstream

clean: ## Remove what was installed into the checkout; data and caches elsewhere stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sidecart needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing the locked Python packages into .venv ..."
	@$(call told,UV_PYTHON=$(PYTHON) $(UV) sync --locked --all-extras --compile-bytecode --quiet)
	@touch $@

$(CACHE)/uv/bin/uv:
	@echo "Installing uv, which installs everything else ..."
	@$(PYTHON) -m venv $(CACHE)/uv || { echo "Python's venv is missing: install it (Debian: apt-get install python3-venv)"; rm -rf $(CACHE)/uv; exit 1; }
	@$(call told,$(CACHE)/uv/bin/pip install --quiet --disable-pip-version-check uv)
