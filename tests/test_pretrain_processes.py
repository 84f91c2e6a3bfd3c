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

store, out, objective, devices, batch = sys.argv[1:]
config = PretrainConfig(
    objective=objective, epochs=20, batch=int(batch), devices=int(devices), accelerator="cpu",
    input=InputConfig(frames=8), stop_on_collapse=False,
    encoder=EncoderConfig(features=16, point_channels=4),
)
if __name__ == "__main__":
    pretrain(config, [Path(store)], Path(out), progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "batch"), [("sl-vicreg", 5), ("moco", 13)])
def test_two_processes_have_the_losses_of_one(objective: str, batch: int, tmp_path: Path) -> None:
    # 13 clips: one step an epoch, so that 20 epochs are 20 steps; or three, of 5, 4 and 4.
    store = write_store(tmp_path / "a.h5", split=lambda sign, signer: part_of(sign, signer))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    losses = []
    for devices in ("1", "2"):
        out = tmp_path / devices
        words = [str(store), str(out), objective, devices, str(batch)]
        subprocess.run([sys.executable, str(program), *words], env=environment, check=True)
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines[1:]])
        assert (out / "encoder.json").is_file()
    assert len(losses[0]) == 20
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def part_of(sign: int, signer: int) -> str:
    """13 of 18 clips learn."""
    return "train" if 3 * signer + sign < 13 else ("val", "test")[sign % 2]
