# Every target sets up .venv by itself; see scripts/setup.sh. `make help` lists them.
SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
WORKERS ?= auto
# A file's tests share servers: they stay together. Long ones run one by one, for they measure or kill.
SIDE_BY_SIDE := -n $(WORKERS) --maxprocesses 4 --dist loadfile
SEEDS ?= 200
SEED ?= 1

.DEFAULT_GOAL := help
# Folders named chart and dashboards would count as done.
.PHONY: help run demo test test-full test-cluster lint format bench simulate docs-check reference findings schema metrics dashboards chart lock image-steps clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## the daemon on this machine, with a store of its own; ARGS="--mode observe" passes flags
	@scripts/setup.sh run
	@exec $(BIN)/remediator serve $(ARGS)

demo: ## a whole incident on this machine in under a minute; ARGS="--interactive" keeps everything up
	@scripts/setup.sh run
	@exec $(BIN)/remediator demo $(ARGS)

test: ## every test but the long ones; ARGS="-k webhook" passes options to pytest, WORKERS=0 lets a debugger in
	@scripts/setup.sh test
	$(BIN)/pytest -m "not full" $(SIDE_BY_SIDE) $(ARGS)

test-full: ## every test, the long ones too
	@scripts/setup.sh test
	$(BIN)/pytest -m "not full" $(SIDE_BY_SIDE) $(ARGS)
	$(BIN)/pytest -m full $(ARGS)

test-cluster: ## the cluster tests; with REMEDIATOR_TEST_CLUSTER=1 against the cluster of KUBECONFIG
	@scripts/setup.sh test
	$(BIN)/pytest tests/cluster $(ARGS)

lint: ## style, types, architecture, generated files, documentation
	@scripts/setup.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/pure_core.py
	$(BIN)/remediator check policies
	$(BIN)/remediator check remediator/testing/demo/policies
	$(BIN)/remediator test policies
	$(BIN)/remediator test remediator/testing/demo/policies
	$(BIN)/python scripts/docs_check.py
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/schema.py --check
	$(BIN)/python scripts/findings.py --check
	$(BIN)/python scripts/rbac_example.py --check
	$(BIN)/python scripts/chart.py --check
	$(BIN)/python scripts/lock.py --check
	$(BIN)/python scripts/metrics.py --check
	$(BIN)/python -m dashboards --check
	$(BIN)/python scripts/settings.py --check

format: ## put the code into its usual form
	@scripts/setup.sh dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## the benchmarks, as ratios within one run; writes the figures of docs/benchmarks.md
	@scripts/setup.sh bench
	$(BIN)/python -m benchmarks $(ARGS)

simulate: ## SEEDS histories of crashing replicas, from SEED on; SEEDS=1 SEED=42 replays one
	@scripts/setup.sh dev
	$(BIN)/python -m remediator.testing.simulation --seeds $(SEEDS) --seed $(SEED)

docs-check: ## links, settings, targets and commands that the documentation names are there
	@scripts/setup.sh dev
	$(BIN)/python scripts/docs_check.py

reference: ## docs/reference.md, docs/language.md and the examples of the documentation, from the code itself
	@scripts/setup.sh dev
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/examples.py
	$(BIN)/python scripts/rbac_example.py
	$(BIN)/python scripts/settings.py

schema: ## remediator/schema/*.json for editors, from the models of the policy files
	@scripts/setup.sh dev
	$(BIN)/python scripts/schema.py

findings: ## the table of docs/findings.md, from the codes themselves
	@scripts/setup.sh dev
	$(BIN)/python scripts/findings.py

chart: ## what the chart has from elsewhere: default policies, their Roles, the schema's prose, docs/install.md
	@scripts/setup.sh dev
	$(BIN)/python scripts/chart.py

lock: ## requirements.lock and requirements-build.lock, from pyproject.toml; ARGS=--upgrade takes newer ones
	@scripts/setup.sh dev
	$(BIN)/python scripts/lock.py $(ARGS)

image-steps: ## every step of the Dockerfile in build/image, without an engine
	@scripts/setup.sh dev
	rm -rf build/image
	$(BIN)/python scripts/image_steps.py build/image

metrics: ## docs/metrics.md, from the table of all metrics
	@scripts/setup.sh dev
	$(BIN)/python scripts/metrics.py

dashboards: ## chart/dashboards/*.json, from the code of dashboards/
	@scripts/setup.sh dev
	$(BIN)/python -m dashboards $(ARGS)

clean: ## everything that the targets made, the daemon's own data (.remediator) excepted
	rm -rf .venv .hypothesis .mypy_cache .ruff_cache .import_linter_cache .pytest_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
