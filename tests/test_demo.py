"""The whole way, as a newcomer takes it: draw, extract, pretrain, probe, look."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from poseprep.signer.accuracy import accuracy
from poseprep.store import KeypointStore
from slr_toolkit.cli import main

pytestmark = pytest.mark.slow


PROGRAM = """
import warnings

import shape_checks

shape_checks.install(with_torch=True)
warnings.filterwarnings("error", module=r"(poseprep|sslmodel)(\\.|$)")
from slr_toolkit.cli import main

main()
"""


def slr(*words):
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """In a program of its own, with shapes checked and warnings as errors as in these tests.

    A score needs three signers: for train, val and test.
    """
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-c", PROGRAM]
    sizes = ["--signs", "2", "--signers", "3", "--reps", "1", "--seed", "3", "--epochs", "10"]
    done = subprocess.run(
        [*command, "demo", "--out", str(folder), *sizes, "--quiet"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_demo_prints_every_command_it_runs(demo):
    folder, output = demo
    for command in ("slr extract", "slr show", "slr pretrain", "slr probe"):
        assert f"$ {command} {folder}" in output
    assert "minimal pairs, handshape" in output
    for baseline in ("encoder", "untrained encoder", "raw coordinates", "chance"):
        assert baseline in output


def test_mediapipe_sees_the_drawn_signer_where_the_truth_is(demo):
    folder, _ = demo
    with (
        KeypointStore(folder / "keypoints.h5") as store,
        KeypointStore(folder / "truth.h5") as truth,
    ):
        rows = {row.what: row for row in accuracy(store, truth)}
    assert rows["body"].found >= 0.99
    assert rows["face"].found >= 0.99
    assert rows["left_hand"].found >= 0.90
    assert rows["right_hand"].found >= 0.90
    assert rows["fingertips"].median <= 0.06
    assert rows["hand wrists"].median <= 0.06
    assert rows["elbows"].median <= 0.10


def test_the_errors_can_be_printed_again(demo):
    folder, output = demo
    said = slr("bench", "accuracy", folder / "keypoints.h5", folder / "truth.h5")
    assert said.exit_code == 0
    assert said.output.strip() in output


def test_the_run_holds_what_explains_it(demo):
    run = demo[0] / "runs" / "run"
    head = json.loads((run / "config.json").read_text())
    assert head["config"]["objective"]
    assert len(head["stores"][0]["sha256"]) == 64
    assert "torch" in head["versions"]
    assert all(np.isfinite(w).all() for w in load_file(run / "encoder.safetensors").values())
    for picture in ("curve.png", "probe/confusion.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    scores = json.loads((run / "probe" / "scores.json").read_text())
    assert {score["features"] for score in scores["scores"]} >= {"encoder", "raw coordinates"}


def test_no_signer_stands_in_two_parts(demo):
    folder, _ = demo
    (split,) = json.loads((folder / "runs" / "run" / "split.json").read_text()).values()
    with KeypointStore(folder / "keypoints.h5") as store:
        parts = {signer: set() for signer in store.signers}
        for key, signer in zip(store.keys, store.signers, strict=True):
            parts[signer].add(split["parts"][key])
    assert all(len(part) == 1 for part in parts.values())
    assert set.union(*parts.values()) == {"train", "val", "test"}


def test_the_newest_run_is_probed_when_none_is_named(demo, monkeypatch):
    folder, _ = demo
    monkeypatch.chdir(folder)
    result = slr("probe")
    assert result.exit_code == 0, result.output
    assert "encoder" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["probe", "nowhere"], "expected a run"),
        (["probe", "{folder}/videos"], "expected a finished run"),
        (["probe", "{folder}/runs/run", "none.h5"], "no such file"),
        (["pretrain", "none.h5"], "no such file"),
        (["pretrain", "{folder}/keypoints.h5", "--objective", "magic"], "is not one of"),
        (["pretrain", "{folder}/keypoints.h5", "--out", "{folder}/videos"], "something already"),
        (["demo", "--signs", "999"], "signs: expected 1 to"),
    ],
)
def test_a_users_mistake_gets_one_clear_message(demo, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = slr(*(word.format(folder=demo[0]) for word in words))
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert list(tmp_path.iterdir()) == []
