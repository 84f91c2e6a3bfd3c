"""Linear evaluation, its baselines, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score
from sslmodel_corpus import HAND, write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from sslmodel.config import ProbeConfig
from sslmodel.linear import fit_linear
from sslmodel.metrics import bootstrap, mean_per_sign, top_k
from sslmodel.pretrain import pretrain
from sslmodel.probe import ProbeResult, probe
from sslmodel.split import Split

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


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"sign": ""}, "found none"),
        ({"sign": "hello"}, "found only 'hello'"),
        ({"split": _only_in_test, "signer": ""}, "not in train, such as 'sign2'"),
        ({"split": "train"}, "no labelled clip in test"),
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


def test_metrics_are_scikit_learns() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 7, 90)
    scores = random.normal(size=(90, 7)) + np.eye(7)[truth]
    for k in (1, 3, 5):
        expected = top_k_accuracy_score(truth, scores, k=k)
        assert top_k(scores, truth, k).mean() == pytest.approx(expected)
    hits = top_k(scores, truth, 1).astype(float)
    expected = balanced_accuracy_score(truth, scores.argmax(1))
    assert mean_per_sign(hits, truth) == pytest.approx(expected)


def test_an_encoder_that_says_the_same_of_all_signs_gets_nothing() -> None:
    assert not top_k(np.zeros((3, 8)), np.array([0, 1, 2]), 5).any()


def test_the_interval_holds_the_score_and_narrows_with_more_clips() -> None:
    hits = np.tile([1.0, 0.0, 1.0, 1.0], 10)
    truth = np.tile([0, 0, 1, 1], 10)
    few, _ = bootstrap(hits, truth, 500, seed=0)
    many, per_sign = bootstrap(np.tile(hits, 20), np.tile(truth, 20), 500, seed=0)
    assert few[0] < 0.75 < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert per_sign[0] < 0.75 < per_sign[1]
    assert bootstrap(hits, truth, 500, seed=0)[0] == few
