# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Optional data: tests that need it skip, and say why, where it is not there.
export SLR_VIDEOS ?= $(abspath $(wildcard ../shared/videos))
export SLR_BENCH ?= $(abspath $(wildcard ../shared/bench))

.PHONY: demo test lint install install-test clean

demo: install
	$(BIN)/slr demo --out demo

test: install-test
	$(BIN)/python -m pytest

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(VENV)/installed
install-test: $(VENV)/installed-test

# Installed in place, with the versions that the tests ran with.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build demo *.egg-info .mypy_cache .pytest_cache .ruff_cache
