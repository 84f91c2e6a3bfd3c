"""Real, tiny training runs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sslmodel_corpus import HAND, write_store

from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC
from sslmodel.checkpoint import load_encoder
from sslmodel.config import (
    EncoderConfig,
    InputConfig,
    PretrainConfig,
    from_dict,
    from_options,
    options,
)
from sslmodel.objectives import OBJECTIVES
from sslmodel.pretrain import batches, pretrain
from sslmodel.runs import find_newest_run, new_run_folder, read_run, run_and_store

TINY = PretrainConfig(
    epochs=2,
    batch=4,
    accelerator="cpu",
    input=InputConfig(frames=8),
    encoder=EncoderConfig(features=16, point_channels=4, part_channels=8),
)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_encoder(run)[0].state_dict()


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
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert list((run / "tb").iterdir())
    assert not list(run.glob("*.tmp"))


def test_the_log_has_a_line_an_epoch_and_one_before_the_first(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"loss", "terms", "spread", "rank"} <= lines[-1].keys()


def test_a_run_says_what_it_was_made_of(run: Path, store: Path) -> None:
    head = json.loads((run / "config.json").read_text())
    assert from_dict(PretrainConfig, head["config"]) == TINY
    assert head["stores"][0]["path"] == str(store)
    assert len(head["stores"][0]["sha256"]) == 64
    assert "torch" in head["versions"]
    assert read_run(run).config == TINY


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(objective: str, store: Path, tmp_path: Path) -> None:
    done = pretrain(replace(TINY, objective=objective), [store], tmp_path / "r", progress=False)
    assert np.isfinite([done.loss, done.spread, done.rank]).all()


def test_training_lowers_the_loss(store: Path, tmp_path: Path) -> None:
    pretrain(replace(TINY, epochs=12), [store], tmp_path / "r", progress=False)
    lines = [json.loads(line) for line in (tmp_path / "r/log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[1]["loss"]


def test_the_same_seed_gives_the_same_weights(run: Path, store: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)  # nobody else's seed counts
    pretrain(TINY, [store], tmp_path / "again", progress=False)
    assert same(weights(run), weights(tmp_path / "again"))
    pretrain(replace(TINY, seed=1), [store], tmp_path / "other", progress=False)
    assert not same(weights(run), weights(tmp_path / "other"))


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
    with pytest.raises(InputError, match="at least 2 clips with a person"):
        pretrain(TINY, [path], tmp_path / "r", progress=False)


def test_a_collapse_is_said(store: Path, tmp_path: Path) -> None:
    config = replace(TINY, objective="sl-fpn", epochs=15, learning_rate=0.05)
    done = pretrain(config, [store], tmp_path / "r", progress=False)
    assert done.collapsed
    assert "collapsed" in done.warnings[-1]
    assert json.loads((tmp_path / "r/encoder.json").read_text())["about"]["collapsed"]


def test_a_folder_that_holds_something_is_not_overwritten(run: Path, store: Path) -> None:
    with pytest.raises(InputError, match="something already"):
        pretrain(TINY, [store], run, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "magic"}, "expected one of sl-vicreg"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"encoder": EncoderConfig(features=10)}, "multiple of time bins"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message, store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        pretrain(replace(TINY, **change), [store], tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()


def test_a_half_written_run_is_no_run(run: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_text((run / "config.json").read_text())
    for folder in (half, tmp_path / "nothing"):
        with pytest.raises(InputError):
            read_run(folder)
    with pytest.raises(InputError, match="no finished run"):
        find_newest_run(tmp_path)
    assert find_newest_run(run.parent) == run


def test_a_damaged_encoder_is_an_input_error(run: Path, tmp_path: Path) -> None:
    for name in ("encoder.json", "encoder.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "encoder.safetensors").write_bytes((run / "encoder.safetensors").read_bytes()[:99])
    with pytest.raises(InputError, match="damaged"):
        load_encoder(tmp_path)


def test_every_setting_is_an_option_with_help() -> None:
    found = {option.name: option for option in options(PretrainConfig)}
    assert found["views_shear"].default == PretrainConfig().views.shear
    assert all(option.help for option in found.values())
    assert all(option.type in (int, float, str, bool) for option in found.values())
    changed = from_options(PretrainConfig, {"epochs": 3, "views_shear": 0.5, "encoder_features": 8})
    assert changed.epochs == 3
    assert changed.views.shear == 0.5
    assert changed.encoder.features == 8
    assert changed.views.scale == PretrainConfig().views.scale


def test_a_new_run_never_takes_the_folder_of_another(tmp_path: Path) -> None:
    assert new_run_folder(tmp_path / "runs", "a") == tmp_path / "runs/a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert new_run_folder(tmp_path, "a") == tmp_path / "a-3"


def test_a_folder_is_a_run_and_an_h5_file_a_store(run: Path) -> None:
    store = Path("b.h5")
    assert run_and_store([store, run], Path("runs")) == (run, store)
    assert run_and_store([store], run.parent) == (run, store)
    assert run_and_store([], run.parent) == (run, None)
    with pytest.raises(InputError, match="at most one run"):
        run_and_store([store, store], run.parent)


@pytest.mark.parametrize(("count", "steps"), [(9, 2), (64, 2), (3, 1)])
def test_an_epoch_has_every_clip_once_in_batches_of_like_size(count: int, steps: int) -> None:
    parts = list(batches(count, steps, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    sizes = [len(part) for part in parts]
    assert len(sizes) == steps
    assert max(sizes) - min(sizes) <= 1
