# The first of the supported versions that runs here.
VERSIONS := python3.11 python3.12 python3.13
PYTHON ?= $(or $(shell for p in $(VERSIONS); do $$p -c "import ensurepip" 2>/dev/null && echo $$p && break; done),python3.11)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint deploy/constraints.txt
# The rest in a quarter of pip's time; torch is pip's, which may know where a CPU build of it is.
# Bytecode at once: else the first start waits for it, in several processes.
UV := $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --constraint deploy/constraints.txt

# Rooms whose tests need no cluster, browser, data set or training, and are over within a minute.
FAST := tests/data/domains tests/data/media tests/data/quality \
	tests/serve_app/client tests/serve_app/http tests/serve_app/replica

.PHONY: serve test test-fast test-deploy loadtest coverage lint fix

serve: .venv/serve
	@exec $(BIN)/python -m serve_app

# In two processes: one has the tests that need a running service, and often waits for it.
test: lint
	$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

# What takes over half a minute each: several machines, a service under every kind of damage, Debian's
# Prometheus against a service, clients of other systems, and (where there is a Docker or buildah) the
# image built, asked, weighed.
test-deploy: lint .venv-clients
	$(BIN)/python -m pytest -m deploy
	deploy/docker/check.sh

# What earlier systems were loaded with, their figures beside ours, and what users get during a full
# retrain: one page, in loadtest/measured; eleven minutes of a machine that does nothing else.
loadtest: .venv/serve
	rm -rf var/loadtest
	-$(BIN)/telltale scaling --preset hotline,hearts,crowd,retrain --out var/loadtest
	mkdir -p loadtest/measured
	cp var/loadtest/README.md var/loadtest/*.png loadtest/measured

test-fast: lint
	$(BIN)/python -m pytest -n 2 $(FAST)

coverage: .venv/dev
	$(BIN)/python -m pytest -n 2 --no-loadscope-reorder --cov=data --cov=models --cov=training --cov=serve_app \
		--cov-report=html:var/coverage --cov-report=term:skip-covered

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/serve: pyproject.toml deploy/constraints.txt
	$(PYTHON) -m venv .venv
	@echo "Installing pinned packages into .venv; this takes some minutes the first time."
	$(PIP) --quiet torch uv
	$(UV) --quiet --editable . || $(PIP) --quiet --editable .
	@touch $@

.venv/dev: .venv/serve
	$(UV) --quiet --editable ".[dev,notebook]" || $(PIP) --quiet --editable ".[dev,notebook]"
	@touch $@

# The servers that loadtest.bench compares with; what cannot share an environment is left unpinned.
.venv-bench: pyproject.toml deploy/constraints.txt
	$(PYTHON) -m venv $@
	grep -vE '^(certifi|opentelemetry)' deploy/constraints.txt >$@/constraints.txt
	$@/bin/python -m pip --disable-pip-version-check install --quiet torch
	$@/bin/python -m pip --disable-pip-version-check install --quiet --constraint $@/constraints.txt --editable ".[bench]"
	@touch $@

# KServe's and Label Studio's clients, which tests ask with; they want other versions than are pinned.
.venv-clients: pyproject.toml .venv/serve
	$(PYTHON) -m venv $@
	$(BIN)/uv pip install --quiet --python $@/bin/python --group clients
	@touch $@
