"""Two processes on a CPU learn what one does: the whole batch is seen by the loss in each."""

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner
from sslmodel_corpus import write_store
from test_pretrain import same, weights

from slr_toolkit.cli import main
from sslmodel.config import OBJECTIVE_NAMES

STEPS = 20
PROGRAM = f"""
import sys
from pathlib import Path

import sslmodel.pretrain
from sslmodel.config import EncoderConfig, InputConfig, PretrainConfig
from sslmodel.pretrain import pretrain

sslmodel.run_writer.plot_curve = lambda *_: None  # a second each
store, out, devices, *objectives = sys.argv[1:]
for objective in objectives:
    config = PretrainConfig(
        objective=objective, epochs={STEPS}, batch=15, devices=int(devices), learning_rate=1e-4,
        accelerator="cpu", input=InputConfig(frames=8), stop_on_collapse=False,
        encoder=EncoderConfig(features=16, point_channels=4),
    )
    pretrain(config, [Path(store)], Path(out) / objective, progress=False)
"""
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every objective, trained by one process and by two.

    15 clips are one batch, so that an epoch is a step; two processes cannot share them evenly.
    Rounding must not be amplified: with batches of 5, or with ten times the learning rate, a change
    of 1e-7 grows a thousandfold and more within 20 steps, in one process as in two.
    """
    folder = tmp_path_factory.mktemp("processes")
    store = write_store(folder / "a.h5", split=lambda sign, signer: part_of(sign, signer))
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for how, devices in (((), "1"), (TORCHRUN, "2")):
        words = [str(program), str(store), str(folder / devices), devices, *OBJECTIVE_NAMES]
        subprocess.run([sys.executable, *how, *words], env=environment, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_two_processes_have_the_losses_of_one(objective: str, folder: Path) -> None:
    losses = []
    for devices in ("1", "2"):
        run = folder / devices / objective
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines[1:]])
        assert (run / "encoder.json").is_file()
    assert len(losses[0]) == STEPS
    # Barlow Twins' loss is in the hundreds, where float32 ends before the fifth decimal.
    assert losses[0] == pytest.approx(losses[1], abs=1e-5, rel=2e-6)


@pytest.mark.slow
def test_each_objective_has_moved_the_encoder_its_own_way(folder: Path) -> None:
    """They began alike: losses that agree because nobody learned would prove nothing."""
    learned = [weights(folder / "2" / objective) for objective in OBJECTIVE_NAMES]
    assert not any(same(a, b) for a, b in combinations(learned, 2))


def part_of(sign: int, signer: int) -> str:
    """15 of 18 clips learn."""
    return "train" if signer < 5 else ("val", "test")[sign % 2]


def test_other_machines_that_nobody_starts_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_store(tmp_path / "a.h5")
    words = ["pretrain", str(store), "--accelerator", "cpu", "--out", str(tmp_path / "r")]
    alone = CliRunner().invoke(main, [*words, "--nodes", "2"])
    assert alone.exit_code == 2
    assert "nobody starts the other machines" in alone.output
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    unasked = CliRunner().invoke(main, words)
    assert unasked.exit_code == 2
    assert "torchrun started 2 processes, found --devices 1 × --nodes 1" in unasked.output
    assert not (tmp_path / "r").exists()
