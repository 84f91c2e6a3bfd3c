"""Two processes on a CPU learn what one does: the whole batch is seen by the loss in each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sslmodel_corpus import write_store

PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path

from sslmodel.config import EncoderConfig, InputConfig, PretrainConfig
from sslmodel.pretrain import pretrain

store, out, objective, devices, batch, epochs = sys.argv[1:]
config = PretrainConfig(
    objective=objective, epochs=int(epochs), batch=int(batch), devices=int(devices),
    accelerator="cpu", input=InputConfig(frames=8), stop_on_collapse=False,
    encoder=EncoderConfig(features=16, point_channels=4),
)
if __name__ == "__main__":
    pretrain(config, [Path(store)], Path(out), progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["sl-vicreg", "moco"])
def test_two_processes_have_the_losses_of_one(objective: str, tmp_path: Path) -> None:
    # 25 clips in batches of 13, which two processes cannot share evenly, and 12: 20 steps. Much
    # smaller ones would amplify rounding: with 5 a change of 1e-7 in the weights grows to 0.1.
    store = write_store(
        tmp_path / "a.h5", signers=10, split=lambda sign, signer: part_of(sign, signer)
    )
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    losses = []
    for devices in ("1", "2"):
        out = tmp_path / devices
        words = [str(store), str(out), objective, devices, "13", "10"]
        subprocess.run([sys.executable, str(program), *words], env=environment, check=True)
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines[1:]])
        assert (out / "encoder.json").is_file()
    assert len(losses[0]) == 10
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def part_of(sign: int, signer: int) -> str:
    """25 of 30 clips learn."""
    return "train" if 3 * signer + sign < 25 else ("val", "test")[sign % 2]
