# make run   the whole product on http://127.0.0.1:8000
# make test  every test; those whose programs are missing say so
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .build
CONSOLE_DIST := src/discern/web/console_dist/index.html
CONSOLE_SOURCES := $(shell find console/src console/public -type f 2>/dev/null) \
	$(wildcard console/*.json console/*.ts console/*.html console/*.cjs)
HOME_DIR ?= $(CURDIR)/var
PORT ?= 8000
say = @printf '\033[1m==> %s\033[0m\n'

.PHONY: help
help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/pyvenv.cfg:
	$(say) "Making the Python environment in $(VENV)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed; this is {v[0]}.{v[1]}. Say PYTHON=python3.12 or the like.")'
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }

# Installs a requirements file with uv, many times as fast as pip; pip alone serves where uv cannot
# be had.
install = if [ ! -x $(BIN)/uv ]; then $(BIN)/python -m pip install -q --disable-pip-version-check uv || true; fi; \
	if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install -q --python $(BIN)/python $(1); \
	else $(BIN)/python -m pip install -q --disable-pip-version-check $(1); fi

$(STAMPS)/run: requirements/run.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(say) "Installing what Discern runs on (about a minute the first time)"
	@mkdir -p $(STAMPS)
	@$(call install,-r requirements/run.txt)
	@$(call install,--no-deps -e .)
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/run
	$(say) "Installing what the tests need"
	@$(call install,-r requirements/dev.txt)
	@$(call install,--no-deps -e .)
	@touch $@

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/dev
	$(say) "Installing what the benchmarks need"
	@$(call install,-r requirements/bench.txt)
	@touch $@

$(STAMPS)/console: console/package.json console/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or newer is needed to build the console."; exit 1; }
	$(say) "Installing the console's packages"
	@mkdir -p $(STAMPS)
	@cd console && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE_DIST): $(STAMPS)/console $(CONSOLE_SOURCES)
	$(say) "Building the console"
	@cd console && npm run --silent build
	@touch $@

.PHONY: run
run: $(STAMPS)/run $(CONSOLE_DIST) ## Start everything on http://127.0.0.1:8000 (PORT=… to change)
	@DISCERN_HOME="$${DISCERN_HOME:-$(HOME_DIR)}" exec $(BIN)/discern up --demo --port $(PORT)

.PHONY: test
test: $(STAMPS)/dev $(CONSOLE_DIST) ## All tests; those whose programs are missing say so
	$(say) "Tests of the console"
	@cd console && npm test --silent
	$(say) "Tests"
	@$(BIN)/python -m pytest -q

.PHONY: check
check: $(STAMPS)/dev $(STAMPS)/console ## Types, lint and the rules of who may import whom
	$(say) "ruff"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(say) "import-linter"
	@$(BIN)/lint-imports
	$(say) "mypy"
	@$(BIN)/mypy src/discern training benchmarks --exclude 'src/discern/web/|benchmarks/peers/'
	@# The peers run as scripts in environments of their own and import what lies beside them.
	@MYPYPATH=benchmarks/peers $(BIN)/mypy benchmarks/peers
	@$(BIN)/mypy --config-file mypy-web.ini
	$(say) "console: types and lint"
	@cd console && npm run --silent check

.PHONY: test-base
test-base: ## tests/core with the base install alone, and that install's size
	$(say) "tests/core on the base install alone"
	@bash tests/base_install.sh

# PyTorch is pinned here and installed by pip alone: which build there is differs by machine, and so
# do its own requirements.
TORCH := torch==2.13.0

$(STAMPS)/train: requirements/train.txt requirements/dev.txt
	$(say) "Installing what training needs (a minute or two)"
	@$(PYTHON) -m venv .venv-train
	@.venv-train/bin/python -m pip install -q --disable-pip-version-check $(TORCH) uv
	@.venv-train/bin/uv pip install -q --python .venv-train/bin/python -r requirements/run.txt \
		-r requirements/dev.txt -r requirements/train.txt
	@.venv-train/bin/uv pip install -q --python .venv-train/bin/python --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@

.PHONY: test-training
test-training: $(STAMPS)/train ## tests/training with PyTorch, in an environment of its own
	$(say) "Tests of training, with PyTorch"
	@.venv-train/bin/python -m pytest -q tests/training

.PHONY: test-services
test-services: $(STAMPS)/dev ## Brokers for real, and all that has a site on PostgreSQL
	$(say) "Tests with real brokers and databases"
	@$(BIN)/python -m pytest -q -m services
	@$(MAKE) --no-print-directory test-postgresql

# Every test that has a site, in this process or in others.
SITE_TESTS := tests/web tests/browser tests/doors/test_up.py tests/doors/test_every_door.py

.PHONY: test-postgresql
test-postgresql: $(STAMPS)/dev $(CONSOLE_DIST) ## All tests with a site, on a PostgreSQL of their own
	$(say) "All that has a site, on PostgreSQL"
	@$(BIN)/python -m tests.services $(BIN)/python -m pytest -q $(SITE_TESTS) -m "not services"

.PHONY: bench
bench: $(STAMPS)/bench ## Benchmarks against the alternatives; results in benchmarks/results
	@$(BIN)/python -m benchmarks

.PHONY: faults
faults: $(STAMPS)/dev ## Kill and starve everything, and count what was lost
	@$(BIN)/python -m tests.faults --write

.PHONY: lock
lock: ## Pin every dependency again
	@for name in base run dev bench train; do \
		echo "==> requirements/$$name.txt"; \
		uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-package discern \
			requirements/$$name.in -o requirements/$$name.txt; done

.PHONY: clean
clean: ## Remove what make made, data in var/ excepted
	rm -rf $(VENV) .venv-base .venv-train $(STAMPS) console/node_modules src/discern/web/console_dist \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis build src/*.egg-info
