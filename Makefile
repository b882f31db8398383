# What people and CI run. Everything is installed into .venv from hashed requirements; nothing needs root or Docker.
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# hundreds of processes begin here: what one has compiled, the others shall find
unexport PYTHONDONTWRITEBYTECODE

# the first Python of 3.11 or newer on PATH; `make PYTHON=/path/to/python3.12 ...` takes another
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
ARGS ?=
SEED ?= 1
# tests on Kafka at a time: much of their time is waiting
LIVE ?= 4

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: .venv/demo  ## install, then three weeks of a helpline on real Kafka, checked to the last record (ARGS="--keep")
	@$(BIN)/nivaran demo $(ARGS)

test: check  ## install, then all tests, those on real Kafka and Redis included
	@$(MAKE) --jobs=2 api rest

check: .venv/dev tools  ## lint, types, imports, dependencies, tests that need no Kafka
	@$(MAKE) --jobs=2 --output-sync=target static pure

static: .venv/dev
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/deptry . >.venv/deptry.log 2>&1 || { cat .venv/deptry.log; exit 1; }

pure: .venv/dev
	@$(BIN)/pytest -q -n auto --dist loadscope -m "not live and not thorough" $(ARGS)

# schemathesis names many tests alike, so that they cannot be shared out: they run beside the rest
api: .venv/dev
	@$(BIN)/pytest -q $(OPENAPI) >.venv/api.log 2>&1 || { cat .venv/api.log; exit 1; }

rest: .venv/dev
	@$(BIN)/pytest $(SIDE_BY_SIDE) -m "(live or thorough) and not bench" --ignore=$(OPENAPI) $(ARGS)
OPENAPI := tests/gateway/test_openapi.py
SIDE_BY_SIDE = $(if $(filter-out 1,$(LIVE)),-n $(LIVE) --dist loadscope)

trials: .venv/dev  ## the measurements of make bench at a small size: they end, hold, and write their page; CI runs them
	@$(BIN)/pytest $(SIDE_BY_SIDE) -m bench $(ARGS)

real: .venv/dev  ## 276,633 real cases on live Kafka, compared with an independent recount
	@$(BIN)/nivaran real $(ARGS)

chaos: .venv/dev  ## one long run with processes killed at moments drawn from SEED
	@$(BIN)/python -m tests.live.chaos --seed $(SEED) $(ARGS)

faults: .venv/dev  ## the whole matrix of faults, each row under load and audited (ARGS="--list", "--row disk --seed 7")
	@$(BIN)/python -m tests.faults $(ARGS)

drill: .venv/dev tools  ## every alert set off by a fault of its kind and ended by its runbook page (ARGS="--list", "--row Redis")
	@$(BIN)/python -m tests.drills $(ARGS)

soak: .venv/dev  ## a deployment under a steady load with faults, judged in the end (ARGS="--minutes 60 --rate 1000 --seed 7")
	@$(BIN)/python -m tests.soak $(ARGS)

simulation: .venv/dev  ## the flow under a scheduler that seeds decide (ARGS="--seeds 100000"; "--seed N" replays one)
	@$(BIN)/python -m tests.simulation $(ARGS)

# about two hours; ARGS="--from latency" goes on after a run that was ended. wrk: the gateway's part needs it
bench: .venv/dev  ## all measurements, on a quiet machine: docs/benchmarks.md, and the costs that docs/sizing.md reckons with
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v wrk >/dev/null; then \
		apt-get install -y -qq --no-install-recommends wrk >.venv/wrk.log 2>&1 || tail -n 3 .venv/wrk.log >&2; \
	fi
	@$(BIN)/nivaran bench all --write docs/benchmarks.md --costs deploy/sizing/measured.json $(ARGS)
	@$(BIN)/python -m deploy.sizing.publish

# promtool, amtool and their servers; valgrind, which counts instructions: installed where that is allowed; checks that
# need them say so when they are left out
tools:
	@missing=; for tool in promtool amtool valgrind; do command -v $$tool >/dev/null || missing=yes; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing prometheus, prometheus-alertmanager and valgrind"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager valgrind; } >.venv/tools.log 2>&1 \
			|| { tail -n 3 .venv/tools.log >&2; [ -z "$${CI:-}" ]; }; \
	fi

lock: .venv/dev  ## resolve the pins of pyproject.toml into requirements/*.txt (ARGS=--upgrade takes newer others)
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra tracing --extra rocksdb -o requirements/runtime.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra local --group build -o requirements/demo.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra local --extra tracing --extra rocksdb --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK) requirements/peers.in -o requirements/peers.txt
LOCK := --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 $(ARGS)

clean:  ## remove what make and the demo made here (the shared downloads in ~/.cache/nivaran stay)
	@if [ -x $(BIN)/nivaran ]; then $(BIN)/nivaran local down; fi
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

.venv/pyvenv.cfg:
	@[ -n "$(PYTHON)" ] || { echo "Nivaran needs Python 3.11 or newer, and none is on PATH." \
		"Install one, or name it: make PYTHON=/path/to/python3.12 demo" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Nivaran needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2; exit 1; }
	@echo "making .venv with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment." \
		"On Debian and Ubuntu: apt install python3-venv; or name another: make PYTHON=/path/to/python3" >&2; exit 1; }

# two stamps: the demo needs a third of what the tests need, and what the tests need includes all of it
.venv/demo: .venv/pyvenv.cfg requirements/demo.txt pyproject.toml
	@if [ -e .venv/dev ] && [ .venv/dev -nt requirements/dev.txt ] && [ .venv/dev -nt pyproject.toml ]; then :; \
		else $(call install,demo); fi
	@touch $@

.venv/dev: .venv/pyvenv.cfg requirements/dev.txt pyproject.toml
	@$(call install,dev)
	@touch $@

install = echo "installing requirements/$(1).txt"; \
	$(PIP) install --quiet --require-hashes -r requirements/$(1).txt && \
	$(PIP) install --quiet --no-deps --no-build-isolation -e . || { \
	echo "Packages could not be installed (the reason stands above). A reachable package index is needed; pip's own" \
		"settings are used (PIP_INDEX_URL, pip.conf, proxies)." >&2; exit 1; }

.PHONY: help demo test check static pure api rest tools real chaos faults drill soak simulation bench lock clean
