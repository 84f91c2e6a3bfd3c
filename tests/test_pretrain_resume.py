"""A training that is killed goes on, and ends as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sslmodel_corpus import HAND, write_store
from test_pretrain import TINY, same, weights

from poseprep.errors import InputError
from poseprep.labels import Label
from poseprep.store import KeypointStore
from poseprep.store_relabel import relabel
from slr_toolkit.cli import main
from sslmodel import pretrain as training
from sslmodel import run_writer, runs
from sslmodel.checkpoint import write_json
from sslmodel.config import SLFPNConfig
from sslmodel.objectives import OBJECTIVES
from sslmodel.pretrain import pretrain
from sslmodel.resume import FOLDER
from sslmodel.runlog import Record, RunLog

pytestmark = pytest.mark.usefixtures("without_curves")

LONG = replace(TINY, epochs=6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5")


@pytest.fixture(scope="module")
def whole(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LONG run that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    pretrain(LONG, [store], run, progress=False)
    return run


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_writer, "CHECKPOINT_SECONDS", 0.0)


class Stopped(Exception):
    """What stands for a kill in the middle."""


def stop_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die while the log of this epoch is written: its checkpoint is not there yet."""
    write = RunLog.write

    def dying(log: RunLog, record: Record) -> None:
        write(log, record)
        if record.epoch == epoch:
            raise Stopped

    monkeypatch.setattr(RunLog, "write", dying)


def interrupted(config: object, store: Path, run: Path, epoch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_after(epoch, patch)
        with pytest.raises(Stopped):
            pretrain(config, [store], run, progress=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_weights_are_those_of_an_undisturbed_run(
    objective: str, store: Path, tmp_path: Path
) -> None:
    random = SLFPNConfig(predictor="random")
    config = replace(TINY, epochs=4, objective=objective, stop_on_collapse=False, sl_fpn=random)
    pretrain(config, [store], tmp_path / "whole", progress=False)
    run = tmp_path / "stopped"
    interrupted(config, store, run, 3)
    pretrain(config, [store], run, progress=False, resume=True)
    assert same(weights(run), weights(tmp_path / "whole"))
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(5))


def test_what_was_trained_is_drawn_while_it_goes_on_and_however_it_ends(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(run_writer, "CURVE_SECONDS", 0.0)
    monkeypatch.setattr(
        run_writer, "plot_curve", lambda records, *rest: drawn.append(records[-1].epoch)
    )
    interrupted(LONG, store, tmp_path / "run", 3)
    assert drawn == [1, 2, 2]


def test_a_run_killed_after_its_last_epoch_has_a_curve_too(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(
        run_writer, "plot_curve", lambda records, *rest: drawn.append(records[-1].epoch)
    )
    with monkeypatch.context() as patch:
        patch.setattr(run_writer.RunWriter, "end", lambda *_: None)
        patch.setattr(run_writer.RunWriter, "__exit__", lambda self, *_: self._log.close())
        pretrain(LONG, [store], tmp_path / "run", progress=False)
    assert not drawn
    assert not (tmp_path / "run/encoder.json").exists()
    pretrain(LONG, [store], tmp_path / "run", progress=False, resume=True)
    assert drawn == [LONG.epochs]


def test_a_picture_that_fails_does_not_hide_why_training_ended(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_writer, "plot_curve", full)
    interrupted(LONG, store, tmp_path / "run", 3)


def test_a_run_stopped_before_its_first_epoch_was_kept_goes_on(
    store: Path, whole: Path, tmp_path: Path
) -> None:
    interrupted(LONG, store, tmp_path / "run", 1)
    pretrain(LONG, [store], tmp_path / "run", progress=False, resume=True)
    assert same(weights(tmp_path / "run"), weights(whole))


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on(store: Path, tmp_path: Path) -> None:
    config = replace(TINY, epochs=40)
    words = [
        *("--epochs", "40", "--batch", "4", "--accelerator", "cpu", "--input-frames", "8"),
        *("--encoder-features", "16", "--encoder-point-channels", "4"),
        "--quiet",
    ]
    command = [
        *(sys.executable, "-c", "import sslmodel.run_writer as w; w.CHECKPOINT_SECONDS = 0\n"),
    ]
    command[-1] += "from slr_toolkit.cli import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run, random = tmp_path / "run", np.random.default_rng(0)
    for _ in range(3):
        there = {path.name for path in (run / FOLDER).glob("epoch-*")}
        resume = ["--resume"] if (run / "config.json").exists() else []
        arguments = ["pretrain", str(store), "--out", str(run), *words, *resume]
        process = subprocess.Popen([*command, *arguments], env=environment)
        deadline = time.monotonic() + 60
        # At work, and not in its first imports any more.
        while time.monotonic() < deadline and process.poll() is None:
            if {path.name for path in (run / FOLDER).glob("epoch-*")} - there:
                break
            time.sleep(0.01)
        time.sleep(0.3 * random.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (run / "encoder.json").exists(), "it was never killed before its end"
    pretrain(config, [store], run, progress=False, resume=True)
    pretrain(config, [store], tmp_path / "whole", progress=False)
    assert same(weights(run), weights(tmp_path / "whole"))


def test_a_damaged_checkpoint_is_passed_over_and_told(
    store: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    interrupted(LONG, store, run, 4)
    newest, _ = sorted((run / FOLDER).iterdir(), reverse=True)
    newest.write_bytes(newest.read_bytes()[:-100])
    done = pretrain(LONG, [store], run, progress=False, resume=True)
    assert any(str(newest) in told and "passed over" in told for told in done.warnings)
    assert same(weights(run), weights(whole))
    again = tmp_path / "again"
    interrupted(LONG, store, again, 4)
    for path in (again / FOLDER).iterdir():
        flipped = bytearray(path.read_bytes())
        flipped[-50] ^= 1
        path.write_bytes(flipped)
    with pytest.raises(InputError, match="none of its checkpoints can be read.*Remove the folder"):
        pretrain(LONG, [store], again, progress=False, resume=True)


def test_what_is_not_the_same_run_is_refused(store: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(LONG, store, run, 3)
    with pytest.raises(InputError, match="other settings.*batch: 4 → 5"):
        pretrain(replace(LONG, batch=5), [store], run, progress=False, resume=True)
    grown = write_store(tmp_path / "b.h5", signers=7)
    hand = write_store(tmp_path / "c.h5", HAND)
    for other in (grown, hand):
        with pytest.raises(InputError, match=f"changed since, or other stores: .*{other.name}"):
            pretrain(LONG, [other], run, progress=False, resume=True)
    with pytest.raises(InputError, match="no unfinished run|found none"):
        pretrain(LONG, [store], tmp_path / "nothing", progress=False, resume=True)
    pretrain(LONG, [store], run, progress=False, resume=True)
    with pytest.raises(InputError, match="come to its end already"):
        pretrain(LONG, [store], run, progress=False, resume=True)


def test_what_was_trained_is_never_begun_anew_in_its_place(
    store: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    interrupted(LONG, store, run, 5)
    with pytest.raises(InputError, match=f"did not come to its end; .*--resume --out {run}"):
        pretrain(LONG, [store], run, progress=False)
    assert len(list((run / FOLDER).iterdir())) == 2
    pretrain(LONG, [store], run, progress=False, resume=True)
    assert same(weights(run), weights(whole))


def test_a_run_without_a_checkpoint_is_begun_anew_and_forgets_its_curve(
    store: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    interrupted(LONG, store, run, 0)
    assert not list((run / FOLDER).glob("epoch-*"))
    (run / "curve.png").write_bytes(b"of what was there")
    other = replace(LONG, seed=1)
    interrupted(other, store, run, 0)
    assert not (run / "curve.png").exists()
    pretrain(other, [store], run, progress=False, resume=True)
    pretrain(other, [store], tmp_path / "whole", progress=False)
    assert same(weights(run), weights(tmp_path / "whole"))


def test_a_disk_that_fills_up_at_the_end_is_told_too(
    store: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_encoder", full)
        with pytest.raises(InputError, match="No space left on device.*--resume"):
            pretrain(LONG, [store], tmp_path / "run", progress=False)
    pretrain(LONG, [store], tmp_path / "run", progress=False, resume=True)
    assert same(weights(tmp_path / "run"), weights(whole))


def test_another_precision_is_refused_and_other_threads_are_told(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    interrupted(LONG, store, run, 3)
    head = json.loads((run / "config.json").read_text())
    # As a GPU would have begun it: "auto" came to bf16 there.
    (run / "config.json").write_text(json.dumps({**head, "precision": "bf16"}))
    with pytest.raises(InputError, match="begun with precision bf16.*--precision bf16"):
        pretrain(LONG, [store], run, progress=False, resume=True)
    (run / "config.json").write_text(json.dumps({**head, "threads": 7}))
    done = pretrain(LONG, [store], run, progress=False, resume=True)
    assert any("begun with 7 threads" in told for told in done.warnings)


def test_labels_that_changed_since_are_refused(store: Path, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", split=lambda _, i: ("train", "test")[i % 2])
    interrupted(LONG, path, tmp_path / "run", 3)
    with KeypointStore(path) as opened:
        clips = [opened.clip(key) for key in opened.keys]
    swap = {"train": "test", "test": "train"}
    relabel(path, {clip.key: Label(clip.sign, clip.signer, swap[clip.split]) for clip in clips})
    with pytest.raises(InputError, match="another split when it was begun"):
        pretrain(LONG, [path], tmp_path / "run", progress=False, resume=True)


@pytest.mark.parametrize("where", ["write_run_head", "alive", "config.json"])
def test_a_run_killed_before_its_first_epoch_is_begun_anew(
    where: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object, **how: object) -> None:
        raise Stopped

    run = tmp_path / "run"

    def die_at_the_config(path: Path, value: object) -> None:
        return die() if path.name == "config.json" else write_json(path, value)

    with monkeypatch.context() as patch:
        if where == "config.json":
            patch.setattr(runs, "write_json", die_at_the_config)
        else:
            patch.setattr(training, where, die)
        with pytest.raises(Stopped):
            pretrain(TINY, [store], run, progress=False)
    if where != "alive":
        (run / "curve.png").touch()  # of a run that was begun there before
        with pytest.raises(InputError, match="stopped before it began"):
            pretrain(TINY, [store], run, progress=False, resume=True)
    pretrain(TINY, [store], run, progress=False, resume=where == "alive")
    pretrain(TINY, [store], tmp_path / "whole", progress=False)
    assert same(weights(run), weights(tmp_path / "whole"))


def test_a_checkpoint_whose_log_was_damaged_is_passed_over(
    store: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    interrupted(LONG, store, run, 4)
    newest = max((run / FOLDER).iterdir())
    data = newest.read_bytes()
    assert data.count(b'\\"epoch\\": 3,') == 1
    newest.write_bytes(data.replace(b'\\"epoch\\": 3,', b'\\"epoch\\": 5,'))
    done = pretrain(LONG, [store], run, progress=False, resume=True)
    assert any("passed over" in told for told in done.warnings)
    assert same(weights(run), weights(whole))


def test_two_checkpoints_are_kept(store: Path, tmp_path: Path) -> None:
    interrupted(LONG, store, tmp_path / "run", 5)
    names = sorted(path.name for path in (tmp_path / "run" / FOLDER).iterdir())
    assert names == ["epoch-000003.safetensors", "epoch-000004.safetensors"]


def test_a_full_disk_is_told_and_the_run_goes_on_later(
    store: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run_writer, "save_state", full)
        with pytest.raises(InputError, match="No space left on device.*--resume"):
            pretrain(LONG, [store], run, progress=False)
    pretrain(LONG, [store], run, progress=False, resume=True)
    assert same(weights(run), weights(whole))


def test_the_command_knows_stores_and_settings_of_what_it_goes_on_with(
    store: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(store, tmp_path / "a.h5")
    run = tmp_path / "runs/mine"
    interrupted(LONG, tmp_path / "a.h5", run, 3)
    refused = CliRunner().invoke(main, ["pretrain", "--resume", "--quiet", "--batch", "6"])
    assert refused.exit_code == 2
    assert "batch: 4 → 6" in refused.output
    done = CliRunner().invoke(main, ["pretrain", "--resume", "--quiet"])
    assert done.exit_code == 0, done.output
    assert (run / "encoder.json").is_file()
    assert same(weights(run), weights(whole))


def test_threads_are_those_of_the_tests() -> None:
    assert torch.get_num_threads() == 1
