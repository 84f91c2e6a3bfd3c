# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Optional data: tests that need it skip, and say why, where it is not there.
export SLR_VIDEOS ?= $(abspath $(wildcard ../shared/videos))
export SLR_BENCH ?= $(abspath $(wildcard ../shared/bench))

.PHONY: demo test soak lint results results-gislr40 bench-gpu bench-gpu-landmarker install install-test clean

demo: install
	$(BIN)/slr demo --out demo

# A file's tests run in one process, slow ones last, and several files at a time.
test: install-test
	$(BIN)/python -m pytest --numprocesses $$(nproc 2>/dev/null || echo 2) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

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

# The tables of docs/results.md on real keypoints: objectives, the default beside the same encoder
# trained with the labels alone, the ablation with the small encoder, and a plain ST-GCN (a tenth of
# the epochs: it is slow). What is finished lies in docs/results as JSON and is not repeated; with
# nothing there it takes many hours.
OBJECTIVES = sl-vicreg:5,sl-fpn:5,sl-sigreg:2,simclr:2,moco:2,byol:2,simsiam:2,barlow-twins:2,vicreg:2
# Where a hand is all there is the two shifts are one thing; what was finished first has them so.
COMPARE = $(BIN)/slr compare gislr40.h5 --precision bf16 --accelerator cpu --views-hand-shift 0.2 --views-shift 0.1
results-gislr40: export OMP_NUM_THREADS = 1
results-gislr40: install
	test -e gislr40.h5 || test -n "$(SLR_BENCH)" || { echo "SLR_BENCH: the folder of gislr40.npz" >&2; exit 2; }
	test -e gislr40.h5 || $(BIN)/slr import "$(SLR_BENCH)/gislr40.npz" gislr40.h5
	$(COMPARE) --objectives $(OBJECTIVES) --out docs/results/gislr40
	$(COMPARE) --objectives sl-vicreg:2 --supervised --out docs/results/gislr40-labels
	$(COMPARE) --size small --objectives sl-vicreg:5 --variants all:2,no-permute-ends:5,no-original:5,st-gcn:0 --out docs/results/gislr40-small
	$(COMPARE) --precision 32 --size small --epochs 10 --objectives sl-vicreg:1 --variants st-gcn:1 --out docs/results/gislr40-st-gcn

# Needs a GPU: 100 epochs of as many clips as WLASL-2000 has, and the table of steps.
bench-gpu: install
	$(BIN)/python -c "import numpy as np; g = np.random.default_rng(0); np.savez('random.npz', \
		points=g.normal(size=(21000, 32, 75, 3)).astype('f2'), sign=np.arange(21000) % 2000)"
	rm -rf random.run
	$(BIN)/slr import random.npz random.h5 --overwrite
	$(BIN)/slr pretrain random.h5 --all-clips --batch 512 --accelerator gpu --out random.run
	$(BIN)/slr bench train --accelerator gpu --points signing --batch 512

# Needs a GPU: how near the batched landmarker is to MediaPipe there, how fast, and where its time goes.
# Give VIDEOS of ten thousand frames and more: starting torch takes seconds, compiling minutes. A
# parity that is not met (exit code 3) keeps nobody from the figures after it.
VIDEOS = data/sample/videos
bench-gpu-landmarker: install
	-$(BIN)/slr bench parity $(VIDEOS) --device cuda
	-$(BIN)/slr bench parity $(VIDEOS) --device cuda --precision float16
	$(BIN)/slr bench networks $(VIDEOS) --device cuda --precision float16 --batch 64 --compile
	$(BIN)/slr bench extract $(VIDEOS) --device cuda --precision float16
	$(BIN)/slr bench extract $(VIDEOS) --device cuda --precision float16 --compile

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
	rm -rf $(VENV) build demo corpus random.* *.egg-info .mypy_cache .pytest_cache .ruff_cache
