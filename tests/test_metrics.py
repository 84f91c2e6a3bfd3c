"""Top-k, mean per sign, and how sure they are."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from sslmodel.config import ProbeConfig
from sslmodel.linear import LinearFit
from sslmodel.metrics import Bootstrap, mean_per_sign, top_k, wilson
from sslmodel.scores import compare


def by_clip(clips: int, resamples: int = 500) -> Bootstrap:
    return Bootstrap.draw(np.arange(clips), resamples, seed=0)


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
    few = by_clip(40).mean(hits)
    many = by_clip(800).mean(np.tile(hits, 20))
    per_sign = by_clip(800).mean_per_sign(np.tile(hits, 20), np.tile(truth, 20))
    assert few[0] < 0.75 < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert per_sign[0] < 0.75 < per_sign[1]
    assert by_clip(40).mean(hits) == few


def test_resampled_means_are_those_of_the_drawn_clips() -> None:
    random = np.random.default_rng(1)
    hits, truth = random.integers(0, 2, 30).astype(float), random.integers(0, 4, 30)
    draws = np.random.default_rng(0).integers(0, 30, size=(200, 30))
    expected = np.quantile(hits[draws].mean(axis=1), [0.025, 0.975])
    assert by_clip(30, 200).mean(hits) == pytest.approx(expected)
    per_sign = [mean_per_sign(hits[draw], truth[draw]) for draw in draws]
    expected = np.quantile(per_sign, [0.025, 0.975])
    assert by_clip(30, 200).mean_per_sign(hits, truth) == pytest.approx(expected)


def test_clips_of_one_signer_are_drawn_together() -> None:
    # Six signers, each all hit or all missed: as unsure as six clips, not as sixty.
    signer = np.repeat(np.arange(6), 10)
    hits = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], 10)
    low, high = Bootstrap.draw(signer, 500, seed=0).mean(hits)
    few_low, few_high = by_clip(6).mean(hits[::10])
    assert (low, high) == (few_low, few_high)
    narrow = by_clip(60).mean(hits)
    assert narrow[1] - narrow[0] < (high - low) / 2


def test_signers_are_drawn_where_test_has_five_known_ones() -> None:
    signs = np.array(["a", "b"] * 10)
    fit = LinearFit(np.array(["a", "b"]), np.random.default_rng(0).normal(size=(20, 2)), 1.0, 1.0)
    for signers, told in (
        (5, "over the 5 signers"),
        (4, "over test clips"),
        (0, "over test clips"),
    ):
        names = np.array([f"p{i % signers}" if signers else "" for i in range(20)], object)
        _, _, how = compare({"encoder": [fit]}, signs, names, ProbeConfig(resamples=10))
        assert told in how


def test_all_hit_is_not_certainty() -> None:
    hits, truth = np.ones(24), np.tile([0, 1], 12)
    low, high = by_clip(24).mean(hits)
    assert low == pytest.approx(24 / (24 + 1.96**2))
    assert high == 1
    assert by_clip(24).mean_per_sign(hits, truth) == (low, high)
    low, high = by_clip(24).mean(np.zeros(24))
    assert (low, high) == (0, pytest.approx(1.96**2 / (24 + 1.96**2)))
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # Wilson's, by hand


def test_a_difference_is_surer_than_its_two_scores() -> None:
    # The better one hits what the other does and every fifth clip more.
    worse = np.tile([1.0, 1.0, 0.0, 0.0, 0.0], 20)
    better = np.tile([1.0, 1.0, 1.0, 0.0, 0.0], 20)
    bootstrap = by_clip(100)
    low, high = bootstrap.difference(better, worse)
    assert 0 < low < 0.2 < high
    assert high - low < bootstrap.mean(better)[1] - bootstrap.mean(better)[0]
    low, high = bootstrap.difference(np.ones(100), np.ones(100))
    assert low == -high < 0
