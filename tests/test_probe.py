"""Linear evaluation, its baselines, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sslmodel_corpus import HAND, SMALL, write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from sslmodel.config import ProbeConfig
from sslmodel.dataset import load
from sslmodel.linear import fit_linear
from sslmodel.plots import plot_curve
from sslmodel.pretrain import pretrain
from sslmodel.probe import ProbeResult, evaluation_split, probe
from sslmodel.runlog import Record
from sslmodel.runs import read_run
from sslmodel.split import Split, leaking_signers
from sslmodel.text import score_table

CONFIG = ProbeConfig(untrained_seeds=2, resamples=100, accelerator="cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", signers=8)


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    pretrain(TINY, [store], folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def result(run: Path) -> ProbeResult:
    return probe(run, CONFIG)


def test_a_probe_scores_the_encoder_beside_its_baselines(
    run: Path, store: Path, result: ProbeResult
) -> None:
    names = [score.features for score in result.scores]
    assert names == ["encoder", "untrained encoder", "raw coordinates", "chance"]
    for score in result.scores:
        assert score.top1_interval[0] <= score.top1 <= score.top1_interval[1]
        assert score.top1 <= score.top5 <= 1
    assert result.scores[0].top1 > result.scores[-1].top1 == pytest.approx(1 / 3)
    assert result.scores[1].encoders == 2
    assert result.split.startswith("by signer")
    assert result.notes == []
    assert [difference.against for difference in result.differences] == names[1:3]
    for difference, score in zip(result.differences, result.scores[1:3], strict=True):
        assert difference.top1 == pytest.approx(result.scores[0].top1 - score.top1)
        assert difference.interval[0] <= difference.top1 <= difference.interval[1]
    written = json.loads((run / "probe/scores.json").read_text())
    assert written["scores"][0]["top1"] == result.scores[0].top1
    assert written["store"]["path"] == str(store)
    assert written["coverage"]["used"] == 24
    assert (run / "probe/confusion.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_probe_gives_the_same_scores(run: Path, result: ProbeResult) -> None:
    assert probe(run, CONFIG).scores == result.scores


def test_another_store_is_split_afresh_and_said(run: Path, tmp_path: Path) -> None:
    other = write_store(tmp_path / "other.h5", signers=7, seed=3)
    result = probe(run, CONFIG, other)
    assert "split afresh" in result.notes[0]
    assert result.folder.parent == run / "probe"
    assert result.folder.name.startswith("other-")


@pytest.mark.parametrize("all_clips", [False, True])
def test_a_store_that_has_grown_never_tests_what_was_trained_on(
    all_clips: bool, tmp_path: Path
) -> None:
    store = write_store(tmp_path / "a.h5", signers=8)
    pretrain(replace(TINY, all_clips=all_clips), [store], tmp_path / "r", progress=False)
    run = read_run(tmp_path / "r")
    (before,) = (entry["parts"] for entry in run.splits.values())
    write_store(store, signers=14)  # the same path, more signers
    dataset = load(store, SMALL, TINY.input)
    for seed in range(3):
        own, split, notes = evaluation_split(run, dataset, seed)
        after = dict(zip(dataset.keys, split.part, strict=True))
        assert {key: after[key] for key in before} == before
        assert (split.part != "").all()
        assert not own
        assert "24 of its 42 clips were in the run and keep their part" in notes[0]
        assert any("transductive" in note for note in notes) == all_clips
        assert leaking_signers(split, dataset.signers) == []
    assert probe(tmp_path / "r", CONFIG).coverage.used == 42


def test_having_seen_every_clip_is_said(store: Path, tmp_path: Path) -> None:
    pretrain(replace(TINY, all_clips=True), [store], tmp_path / "r", progress=False)
    assert "transductive" in probe(tmp_path / "r", CONFIG).notes[0]


def test_a_score_over_known_signers_is_marked(run: Path, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", signers=9, seed=5, signer="anna")
    assert any("not signer-independent" in note for note in probe(run, CONFIG, path).notes)


def test_clips_without_a_sign_are_left_out_and_counted(run: Path, tmp_path: Path) -> None:
    some = write_store(
        tmp_path / "a.h5", signers=8, seed=5, sign=lambda sign, signer: f"s{sign}" if signer else ""
    )
    coverage = probe(run, CONFIG, some).coverage
    assert coverage.expected == 24
    assert coverage.used == sum(coverage.parts.values()) == 21
    assert coverage.left_out == {"no sign": 3}


def _only_in_test(sign: int, signer: int) -> str:
    return "test" if sign == 2 else ("train", "train", "val", "test")[signer % 4]


def _one_sign_in_train(sign: int, signer: int) -> str:
    return "train" if sign == 0 else ("val", "test")[signer % 2]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"sign": ""}, "found none"),
        ({"sign": "hello"}, "found only 'hello'"),
        ({"split": _only_in_test, "signer": ""}, "not in train, such as 'sign2'"),
        ({"split": "train"}, "no labelled clip in test"),
        ({"split": _one_sign_in_train, "signer": ""}, "train has only the sign 'sign0'"),
    ],
)
def test_labels_that_allow_no_score_are_refused(labels, message, run: Path, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", signers=8, seed=5, **labels)
    with pytest.raises(InputError, match=message):
        probe(run, CONFIG, path)


def test_a_store_with_other_points_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the encoder reads 49 points"):
        probe(run, CONFIG, write_store(tmp_path / "hand.h5", HAND))


def test_a_run_whose_store_is_gone_asks_for_it(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", signers=8)
    pretrain(TINY, [store], tmp_path / "r", progress=False)
    moved = store.rename(tmp_path / "b.h5")
    with pytest.raises(InputError, match="not there any more"):
        probe(tmp_path / "r", CONFIG)
    assert probe(tmp_path / "r", CONFIG, moved).notes == [], "its content is what counts"


@pytest.mark.parametrize("change", [{"resamples": 0}, {"seed": -1}, {"accelerator": "banana"}])
def test_settings_that_cannot_be_are_refused(change, run: Path) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(change))}: expected"):
        probe(run, replace(CONFIG, **change))


def test_a_signs_name_is_no_mathematics(run: Path, tmp_path: Path) -> None:
    path = write_store(
        tmp_path / "a.h5", signers=8, seed=5, sign=lambda sign, signer: rf"$\foo{sign}$"
    )
    assert (probe(run, CONFIG, path).folder / "confusion.png").stat().st_size > 0
    plot_curve([Record(0, 0.3, 5.0), Record(1, 0.4, 5.0, 1.0, {})], tmp_path / "c.png", r"$\foo$")


def test_the_table_says_what_pretraining_bought_and_who_shows_nobody(result: ProbeResult) -> None:
    coverage = replace(result.coverage, without_person=3)
    table = score_table(replace(result, coverage=coverage))
    assert "; 3 show no person" in table
    assert "encoder − untrained encoder: " in table
    assert "encoder − raw coordinates: " in table
    assert "show no person" not in score_table(result)


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run"):
        probe(tmp_path / "nothing", CONFIG)


def blobs(clips: int, features: int, noise: float = 1.5) -> tuple[np.ndarray, np.ndarray, Split]:
    random = np.random.default_rng(0)
    signs = np.array([f"s{i % 4}" for i in range(clips)])
    centres = random.normal(size=(4, features))
    x = centres[np.arange(clips) % 4] + noise * random.normal(size=(clips, features))
    part = np.array((["train"] * 12 + ["val"] * 4 + ["test"] * 4) * (clips // 20), object)
    return x, signs, Split(part, "by hand")


@pytest.mark.parametrize("features", [6, 300])
def test_linear_evaluation_is_scikit_learns(features: int) -> None:
    # 300 features and 160 clips take the way through the span of the clips.
    x, signs, split = blobs(200, features)
    fit = fit_linear(x, signs, split)
    train, test = split.is_in("train"), split.is_in("test")
    known = train | split.is_in("val")
    x = (x - x[train].mean(0)) / x[train].std(0)
    theirs = LogisticRegression(C=fit.inverse_penalty, max_iter=5000, tol=1e-8)
    expected = theirs.fit(x[known], signs[known]).decision_function(x[test])
    difference = fit.scores - expected
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=2e-2)
    assert (fit.signs[fit.scores.argmax(1)] == theirs.predict(x[test])).all()


def test_test_clips_do_not_choose_the_penalty() -> None:
    x, signs, split = blobs(200, 6)
    fit = fit_linear(x, signs, split)
    other = x.copy()
    other[split.is_in("test")] = 100.0
    assert fit_linear(other, signs, split).inverse_penalty == fit.inverse_penalty
    assert fit_linear(other, signs, split).val_top1 == fit.val_top1
