# Each target makes its own environment in .venv; a new pyproject.toml or
# constraints.txt renews it. `make` alone lists the targets.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
EXTRAS := torch,validation,experiments,layers,docs,dev
BIN    := .venv/bin
STAMP  := .venv/.installed

# Folder of data sets that are not part of the project.
DATA ?= $(or $(HANKELCUT_DATA),../shared/data)

# Small matrices and two test processes: more BLAS threads only get in each other's way.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST     := $(ONE_THREAD) $(BIN)/pytest --numprocesses 2

.DEFAULT_GOAL := help
.PHONY: help demo demo-quick reproduce-smnist test test-all lint format types bench conformance mutation-study docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
	| awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "hankelcut needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing into .venv (once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	  --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP) ## train on digits: full, cut in training, direct; report in runs/demo
	$(BIN)/hankelcut demo --folder runs/demo

demo-quick: $(STAMP) ## the same in seconds, to see that everything works; in runs/demo-quick
	$(BIN)/hankelcut demo --quick --folder runs/demo-quick

reproduce-smnist: $(STAMP) ## compare all methods on sMNIST (DATA=folder); an hour on two cores
	$(BIN)/hankelcut reproduce smnist --protocol cpu --data $(DATA) --page docs/results/smnist.md

test: $(STAMP) ## run the tests, but for the slow ones
	$(PYTEST)

test-all: $(STAMP) ## run all tests
	$(PYTEST) -m ""

lint: $(STAMP) ## check style, formatting and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/numpydoc lint $$(find hankelcut -name '*.py')

format: $(STAMP) ## format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## check the types
	$(BIN)/mypy

bench: $(STAMP) ## run every script in benchmarks/
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; \
	$(BIN)/python $$script; done

conformance: $(STAMP) ## compare every method with its oracles; writes docs/conformance.md
	$(ONE_THREAD) $(BIN)/python -m tests.conformance

mutation-study: $(STAMP) ## count which seeded defects the checks catch; writes docs/validation.md
	$(ONE_THREAD) $(BIN)/python -m tests.mutation_study

docs: $(STAMP) ## build the documentation into docs/_build
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build

clean: ## remove the environment, caches and what was built (runs/ stays)
	rm -rf .venv docs/_build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
