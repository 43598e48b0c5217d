# What people run. `make help` lists it; ARGS reaches the command behind a target.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CODE   := lacolle gateway adapters agreements bus audit schemas benchmarks deploy tests
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help demo up test check fmt bench lock clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## run a whole exchange on loopback (ARGS=--json, ARGS='--keep --dir D', …)
	@$(BIN)/lacolle demo $(ARGS)

up: $(VENV)/.dev ## the same in its roles, on PostgreSQL and Kafka, without Docker (needs Java 17 and Maven)
	@$(BIN)/lacolle up $(ARGS)

test: check ## everything: format, lint, types, import contracts, all tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal -q $(ARGS)

check: $(VENV)/.dev ## format, lint, types and import contracts, without the tests
	@$(BIN)/ruff format --check --quiet $(CODE)
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(VENV)/.dev ## rewrite the code as the formatter likes it
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

bench: $(VENV)/.dev ## measure, beside the naive service (ARGS='--quick --json')
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## resolve the dependencies anew, with hashes and no index address
	@$(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/pip install --quiet uv
	@for set in "build:requirements.lock" "dev:requirements-dev.lock"; do \
	  $(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate pyproject.toml \
	    --group "$${set%%:*}" --output-file "$${set##*:}"; done

clean: ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.run: requirements.lock pyproject.toml
	@echo "Preparing the environment in $(VENV) (once)…"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lacolle needs Python 3.11 or newer; set PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Adding the developers' tools (once)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
