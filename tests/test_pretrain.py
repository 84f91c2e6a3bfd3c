"""Real, tiny training runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sslmodel_corpus import HAND, write_store
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from poseprep.errors import InputError
from poseprep.machine import has_compiler
from poseprep.options import from_dict
from poseprep.skeleton import HOLISTIC
from sslmodel import run_writer
from sslmodel.chance import epoch_order
from sslmodel.checkpoint import read_encoder
from sslmodel.config import EncoderConfig, InputConfig, PretrainConfig
from sslmodel.device import IMITATED_BF16, imitates_bf16
from sslmodel.encoder import Encoder
from sslmodel.objectives import OBJECTIVES
from sslmodel.pretrain import CameApart, alive, pretrain, steps_an_epoch
from sslmodel.runlog import Record
from sslmodel.runs import read_run

pytestmark = pytest.mark.usefixtures("without_curves")

TINY = PretrainConfig(
    epochs=2,
    batch=4,
    accelerator="cpu",
    input=InputConfig(frames=8),
    encoder=EncoderConfig(features=16, point_channels=4),
)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_encoder(run)[0].state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5")


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    pretrain(TINY, [store], folder, progress=False)
    return folder


def test_a_run_holds_all_that_it_should(run: Path) -> None:
    for name in ("config.json", "split.json", "log.jsonl", "encoder.safetensors", "encoder.json"):
        assert (run / name).stat().st_size > 0
    # Drawn: a module's fixture is made before `without_curves` is.
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert list((run / "tb").iterdir())
    assert not list(run.glob("*.tmp"))


def test_the_log_has_a_line_an_epoch_and_one_before_the_first(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"loss", "terms", "spread", "rank"} <= lines[-1].keys()


def test_tensorboard_has_what_the_log_has(run: Path) -> None:
    # `invariance` is a measure, and a term of this objective.
    board = EventAccumulator(str(run / "tb"))
    board.Reload()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    measures = {"loss", "spread", "rank", "alignment", "invariance"}
    terms = lines[-1]["terms"]
    assert "invariance" in terms
    assert set(board.Tags()["scalars"]) == measures | {f"terms/{name}" for name in terms}
    for name in measures:
        wanted = [line[name] for line in lines if name in line]
        found = [event.value for event in board.Scalars(name)]
        assert found == pytest.approx(wanted, rel=1e-6)
    for name in terms:
        found = [event.value for event in board.Scalars(f"terms/{name}")]
        assert found == pytest.approx([line["terms"][name] for line in lines[1:]], rel=1e-6)


def test_a_run_says_what_it_was_made_of(run: Path, store: Path) -> None:
    head = json.loads((run / "config.json").read_text())
    assert from_dict(PretrainConfig, head["config"]) == TINY
    assert head["stores"][0]["path"] == str(store)
    assert len(head["stores"][0]["sha256"]) == 64
    assert {"torch", "scipy", "h5py", "safetensors"} <= head["versions"].keys()
    assert head["device"] == "cpu"
    assert head["threads"] >= 1
    assert head["stores"][0]["landmarker"] == {"name": "made up", "version": "1"}
    assert read_run(run).config == TINY


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(objective: str, store: Path, tmp_path: Path) -> None:
    done = pretrain(replace(TINY, objective=objective), [store], tmp_path / "r", progress=False)
    assert np.isfinite([done.loss, done.spread, done.rank]).all()


def test_training_lowers_the_loss(store: Path, tmp_path: Path) -> None:
    pretrain(replace(TINY, epochs=25), [store], tmp_path / "r", progress=False)
    lines = [json.loads(line) for line in (tmp_path / "r/log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[1]["loss"]


def test_the_same_seed_gives_the_same_weights(run: Path, store: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)  # nobody else's seed counts
    pretrain(TINY, [store], tmp_path / "again", progress=False)
    assert same(weights(run), weights(tmp_path / "again"))
    pretrain(replace(TINY, seed=1), [store], tmp_path / "other", progress=False)
    assert not same(weights(run), weights(tmp_path / "other"))


@pytest.mark.skipif(not has_compiler(gpu=False), reason="torch.compile needs a C++ compiler")
def test_a_compiled_encoder_learns_the_same(run: Path, store: Path, tmp_path: Path) -> None:
    # In a program of its own: these tests check shapes at every call, which cannot be compiled.
    words = ["--epochs", "2", "--batch", "4", "--accelerator", "cpu", "--input-frames", "8"]
    words += ["--encoder-features", "16", "--encoder-point-channels", "4", "--compile", "--quiet"]
    command = [sys.executable, "-c", "from slr_toolkit.cli import main; main()", "pretrain"]
    subprocess.run([*command, str(store), "--out", str(tmp_path / "r"), *words], check=True)
    plain, compiled = weights(run), weights(tmp_path / "r")
    assert plain.keys() == compiled.keys()
    for name, weight in plain.items():
        torch.testing.assert_close(compiled[name], weight, atol=1e-3, rtol=1e-3)


def test_compiling_without_a_compiler_is_refused_before_anything_is_made(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    with pytest.raises(InputError, match="needs a C.. compiler"):
        pretrain(replace(TINY, compile=True), [store], tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()


def test_bf16_on_a_cpu_that_has_none_is_warned_of(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, epochs=1, precision="bf16")
    for imitated in (True, False):
        monkeypatch.setattr("sslmodel.pretrain.imitates_bf16", lambda device, says=imitated: says)
        told: list[str] = []
        pretrain(config, [store], tmp_path / str(imitated), progress=False, say=told.append)
        assert (IMITATED_BF16 in told) == imitated
    assert not imitates_bf16(torch.device("cuda"))


def test_val_and_test_clips_are_never_seen(run: Path, tmp_path: Path) -> None:
    parts = next(iter(read_run(run).splits.values()))["parts"]
    for part, seen in (("val", False), ("test", False), ("train", True)):
        change = {key: 0.3 for key, where in parts.items() if where == part}
        assert change
        changed = write_store(tmp_path / f"{part}.h5", change=change)
        pretrain(TINY, [changed], tmp_path / part, progress=False)
        assert same(weights(run), weights(tmp_path / part)) != seen


def test_signs_do_not_reach_the_training(run: Path, tmp_path: Path) -> None:
    other = write_store(tmp_path / "a.h5", sign=lambda sign, signer: f"other{2 - sign}")
    pretrain(TINY, [other], tmp_path / "r", progress=False)
    assert same(weights(run), weights(tmp_path / "r"))


def test_all_clips_are_seen_when_asked(run: Path, store: Path, tmp_path: Path) -> None:
    done = pretrain(replace(TINY, all_clips=True), [store], tmp_path / "r", progress=False)
    assert done.clips == 18
    assert not same(weights(run), weights(tmp_path / "r"))


def test_several_stores_are_learned_from_together(store: Path, tmp_path: Path) -> None:
    second = write_store(tmp_path / "b.h5", HOLISTIC, seed=7, signs=2)
    done = pretrain(TINY, [store, second], tmp_path / "r", progress=False)
    splits = read_run(tmp_path / "r").splits
    assert len(splits) == 2
    assert done.clips == sum(
        list(split["parts"].values()).count("train") for split in splits.values()
    )


def test_one_hand_and_no_signers_are_enough(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", HAND, signer="", lost=0.5)
    assert pretrain(TINY, [path], tmp_path / "r", progress=False).clips > 0


def test_clips_without_a_person_are_told_and_left_out(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", HAND, lost=1.1)
    with pytest.raises(InputError, match="at least 2 clips with a person.*12 clips show no person"):
        pretrain(TINY, [path], tmp_path / "r", progress=False)


def test_an_infinite_point_is_refused_and_its_clip_named(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", change={"sign1/signer2.mp4": np.inf})
    with pytest.raises(InputError, match="a.h5: clip sign1/signer2.mp4 has infinite points.*NaN"):
        pretrain(TINY, [path], tmp_path / "r", progress=False)


@pytest.mark.parametrize("frames", [1, 2])
def test_clips_of_a_frame_or_two_teach_too(frames: int, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", frames=frames, lost=0)
    done = pretrain(TINY, [path], tmp_path / "r", progress=False)
    assert done.clips == 12
    assert np.isfinite([done.loss, done.spread, done.rank]).all()
    assert not done.warnings


def test_clips_without_hands_teach_too(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", lost=1.1)
    done = pretrain(TINY, [path], tmp_path / "r", progress=False)
    assert done.clips == 12
    assert np.isfinite([done.loss, done.spread, done.rank]).all()


def test_windows_of_a_long_clip_without_a_person_are_told(tmp_path: Path) -> None:
    # 20 s at 25 frames a second, a hand alone, that is gone for the second of two windows.
    path = write_store(tmp_path / "a.h5", HAND, frames=500, lost=0, gone_from=240)
    done = pretrain(TINY, [path], tmp_path / "r", progress=False)
    assert any("12 windows of longer clips show no person" in told for told in done.warnings)


def test_a_collapse_is_said_when_it_happens(store: Path, tmp_path: Path) -> None:
    config = replace(TINY, objective="sl-fpn", epochs=30, learning_rate=0.2)
    said: list[str] = []
    whole = replace(config, stop_on_collapse=False)
    done = pretrain(whole, [store], tmp_path / "whole", progress=False, say=said.append)
    assert done.collapsed
    told = [text for text in said if "the embedding has collapsed" in text]
    assert int(told[0].split("epoch ")[1].split(":")[0]) < 30


def test_a_collapse_is_said(store: Path, tmp_path: Path) -> None:
    config = replace(TINY, objective="sl-fpn", epochs=30, learning_rate=0.2)
    done = pretrain(config, [store], tmp_path / "r", progress=False)
    assert done.collapsed
    assert done.epochs < 30
    assert "collapsed" in done.advice
    whole = replace(config, stop_on_collapse=False)
    assert pretrain(whole, [store], tmp_path / "whole", progress=False).epochs == 30
    assert json.loads((tmp_path / "r/encoder.json").read_text())["about"]["collapsed"]


def test_a_folder_that_holds_something_is_not_overwritten(run: Path, store: Path) -> None:
    with pytest.raises(InputError, match="something already"):
        pretrain(TINY, [store], run, progress=False)


def test_settings_that_cannot_be_are_refused_before_anything_is_made(
    store: Path, tmp_path: Path
) -> None:
    for change, message in (
        ({"learning_rate": float("nan")}, "--learning-rate: expected a number"),
        ({"encoder": EncoderConfig(features=10)}, "--encoder-features: expected a multiple of"),
    ):
        with pytest.raises(InputError, match=message):
            pretrain(replace(TINY, **change), [store], tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_input_error_and_leaves_no_folder(
    store: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="gpu is not to be had here"):
        pretrain(replace(TINY, accelerator="gpu"), [store], tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()


def test_a_folder_that_cannot_be_made_is_an_input_error(store: Path) -> None:
    with pytest.raises(
        InputError, match="cannot be written.*give the same command again, or give another"
    ):
        pretrain(TINY, [store], store / "below-a-file", progress=False)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_training_that_comes_apart_says_when_and_writes_no_encoder(
    objective: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Sequence[Record]] = []
    monkeypatch.setattr(run_writer, "plot_curve", lambda records, *rest: drawn.append(records))
    config = replace(TINY, objective=objective, learning_rate=1e30, warmup=0.0)
    with pytest.raises(InputError, match="in epoch 1.*The batch was: sign.*--learning-rate"):
        pretrain(config, [store], tmp_path / "r", progress=False)
    assert not (tmp_path / "r/encoder.json").exists()
    assert not drawn, "nothing was learned that could be drawn"
    for line in (tmp_path / "r/log.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_an_unfinished_run_is_begun_anew_in_its_place(
    run: Path, store: Path, tmp_path: Path
) -> None:
    half = shutil.copytree(run, tmp_path / "half")
    (half / "encoder.json").unlink()
    with (half / "log.jsonl").open("a") as log:
        log.write("torn")
    pretrain(TINY, [store], half, progress=False)
    assert same(weights(run), weights(half))
    assert len((half / "log.jsonl").read_text().splitlines()) == 3
    assert len(list((half / "tb").iterdir())) == 1


def test_a_store_given_twice_is_refused(store: Path, tmp_path: Path) -> None:
    again = shutil.copy(store, tmp_path / "copy.h5")
    with pytest.raises(InputError, match="the same clips as"):
        pretrain(TINY, [store, again], tmp_path / "r", progress=False)


def test_a_signer_in_two_stores_is_in_one_part_only(store: Path, tmp_path: Path) -> None:
    second = write_store(tmp_path / "b.h5", seed=7, signers=4)
    pretrain(TINY, [store, second], tmp_path / "r", progress=False)
    parts = {
        (Path(key).stem, part)
        for split in read_run(tmp_path / "r").splits.values()
        for key, part in split["parts"].items()
    }
    assert len(parts) == len({signer for signer, _ in parts}) == 6


def test_a_published_split_that_leaks_is_learned_from_and_told(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", split=lambda sign, signer: ("train", "test")[sign == 2])
    done = pretrain(TINY, [path], tmp_path / "r", progress=False)
    assert any("6 signers stand in several parts" in warning for warning in done.warnings)


def test_the_watched_numbers_need_finite_embeddings() -> None:
    points, seen = torch.full((4, 8, len(HAND), 2), torch.inf), torch.ones(4, 8, len(HAND))
    for epoch, told in ((0, "untrained encoder is no finite number"), (3, "apart in epoch 3")):
        with pytest.raises(InputError, match=told) as error:
            alive(Encoder(HAND, TINY.encoder), points, seen, epoch)
        assert isinstance(error.value, CameApart) == bool(epoch)


def test_an_epoch_has_batches_of_at_most_the_size_and_none_of_one() -> None:
    assert [steps_an_epoch(count, 4, 1) for count in (2, 3, 4, 5, 8, 9)] == [1, 1, 1, 2, 2, 3]
    # Small corpora: four batches, of 16 at least.
    assert [steps_an_epoch(count, 128, 1) for count in (15, 40, 64, 200, 1000)] == [1, 2, 4, 4, 8]
    with pytest.raises(InputError, match="5 processes, but 4 clips in a batch"):
        steps_an_epoch(8, 4, 5)


def test_an_epoch_has_every_clip_once_in_an_order_of_its_own() -> None:
    orders = [epoch_order(seed, epoch, 50) for seed in (0, 1) for epoch in (1, 2)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert torch.equal(orders[0], epoch_order(0, 1, 50))
