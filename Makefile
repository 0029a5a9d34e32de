PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint deploy/constraints.txt

.PHONY: serve test lint fix

serve: .venv/serve
	@exec $(BIN)/python -m serve_app

test: lint
	$(BIN)/python -m pytest

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
	$(PIP) --quiet torch
	$(PIP) --quiet --editable .
	@touch $@

.venv/dev: .venv/serve
	$(PIP) --quiet --editable ".[dev]"
	@touch $@
