# Two commands matter: `make up` (the whole stack on this machine, with a live page) and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
# Files of tests run side by side, as tests mostly wait; each worker has stores of its own (2 GB).
WORKERS ?= $(shell cpus=$$(nproc 2>/dev/null || echo 1); echo $$((cpus < 5 ? cpus + 1 : 6)))
PYTEST   = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help up down test test-system test-deep mutants lint bench-live bench-landing bench-seen bench-page bench-streams stranger lock wheel clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 up"; exit 1; }
	@echo "Making $(VENV) and installing the pinned packages (about a minute, once) …"
	@$(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing: install the package python3-venv, or set PYTHON to another interpreter"; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check -q --progress-bar on --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(BIN)/python -m pip install --disable-pip-version-check -q --require-hashes -r requirements/dev.txt
	@touch $@

up: $(VENV)/.run ## start everything on this machine; Ctrl-C stops it
	@exec $(BIN)/musee up

down: $(VENV)/.run ## stop what `make up` started
	@$(BIN)/musee down

test: lint ## static checks and every test that needs no system package, on WORKERS processes
	@$(PYTEST) -m "not system"

test-system: $(VENV)/.dev ## tests that need system packages (Chromium, kcat)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { echo "missing: Chromium (Debian: apt-get install chromium)"; exit 1; }
	@command -v kcat >/dev/null || { echo "missing: kcat (Debian: apt-get install kcat)"; exit 1; }
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m system

lint: $(VENV)/.dev ## ruff, format, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test-deep: $(VENV)/.dev ## any order of arrival, 10,000 cases instead of 2,000
	@$(BIN)/python -m pytest tests/core -k any_order --hypothesis-profile=deep

mutants: $(VENV)/.dev ## break rules of time on purpose and show that the tests notice
	@$(BIN)/python -m tests.mutants

bench-live: $(VENV)/.dev ## CPU per event of the live path against a bare reader
	@$(BIN)/python -m tests.bench.live

bench-landing: $(VENV)/.dev ## drain rate and CPU per event of the landing
	@$(BIN)/python -m tests.bench.landing

bench-seen: $(VENV)/.dev ## bytes of a million ids of events that were counted
	@$(BIN)/python -m tests.bench.seen

bench-page: $(VENV)/.dev ## scan by POST to text changed in a browser (needs Chromium)
	@$(BIN)/python -m tests.bench.page

bench-streams: $(VENV)/.dev ## 300 browsers on the live feed for ten minutes: memory and delay
	@$(BIN)/python -m tests.bench.streams

stranger: $(VENV)/.dev ## README's commands in order, in a fresh clone without an environment
	@$(BIN)/python -m tests.stranger

lock: $(VENV)/.dev ## renew requirements/*.txt from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra embedded pyproject.toml requirements/build.in -o requirements/run.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra embedded --group dev pyproject.toml requirements/build.in -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url -c requirements/run.txt pyproject.toml -o requirements/server.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url -c requirements/run.txt requirements/build.in -o requirements/build.txt

wheel: $(VENV)/.dev ## build/dist/data_musee-*.whl
	@$(BIN)/python -m build -q --wheel --no-isolation --outdir build/dist .

clean: ## remove the environment and build output (keeps .musee)
	@rm -rf $(VENV) build dist
