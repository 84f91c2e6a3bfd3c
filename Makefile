# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Optional data: tests that need it skip, and say why, where it is not there.
export SLR_VIDEOS ?= $(abspath $(wildcard ../shared/videos))
export SLR_BENCH ?= $(abspath $(wildcard ../shared/bench))

.PHONY: demo test soak lint results install install-test clean

demo: install
	$(BIN)/slr demo --out demo

test: install-test
	$(BIN)/python -m pytest

# Forty minutes of faults and long videos; prints the table of docs/reliability.md. The two long cases
# run beside the others, on a core of their own.
soak: install-test
	$(BIN)/python -m pytest -m soak tests/soak/test_long.py & long=$$!; \
	$(BIN)/python -m pytest -m soak tests/soak/test_killed.py; killed=$$?; \
	wait $$long && exit $$killed

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tables of docs/results.md on drawn signers: about an hour on 2 cores. One thread, so that sums
# add up alike. Stopped, `make results` goes on.
results: export OMP_NUM_THREADS = 1
results: install
	test -e corpus/keypoints.h5 || $(BIN)/slr demo --out corpus --signs 24 --signers 16 --reps 2 --seed 1
	$(BIN)/slr compare corpus/keypoints.h5 --objectives sl-vicreg,sl-fpn --seeds 3 --phonology corpus/signs.csv --out corpus/compare

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
	rm -rf $(VENV) build demo corpus *.egg-info .mypy_cache .pytest_cache .ruff_cache
