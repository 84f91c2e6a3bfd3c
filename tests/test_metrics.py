"""Top-k, mean per sign, average precision, and how sure they are."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    top_k_accuracy_score,
)

from sslmodel.metrics import (
    Bootstrap,
    average_precision,
    mean_per_sign,
    random_order,
    top_k,
    wilson,
)


def by_clip(clips: int, resamples: int = 500, truth: np.ndarray | None = None) -> Bootstrap:
    truth = np.zeros(clips, int) if truth is None else truth
    return Bootstrap.draw(np.arange(clips), truth, resamples, seed=0)


def one(hits: np.ndarray) -> np.ndarray:
    """The values of one encoder with one draw of labels."""
    return hits[None, None]


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


def test_average_precision_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    relevant = random.random((20, 50)) < 0.2
    similarity = random.normal(size=(20, 50)) + relevant
    expected = [average_precision_score(r, s) for r, s in zip(relevant, similarity, strict=True)]
    np.testing.assert_allclose(average_precision(relevant, similarity), expected)


def test_average_precision_by_hand() -> None:
    # Right ones in the places 1 and 3 of what is in the index: (1/1 + 2/3) / 2.
    relevant = np.array([[True, False, True, True]])
    similarity = np.array([[0.9, 0.8, 0.7, -np.inf]])
    assert average_precision(relevant, similarity) == pytest.approx([5 / 6])
    assert average_precision(np.zeros((1, 4), bool), similarity) == [0]


def test_an_encoder_that_says_the_same_of_all_signs_gets_nothing() -> None:
    assert not top_k(np.zeros((3, 8)), np.array([0, 1, 2]), 5).any()


def test_a_sign_that_was_never_shown_is_never_hit() -> None:
    scores = np.array([[1.0, 0.5, -np.inf]])
    assert not top_k(scores, np.array([2]), 5).any()


def test_the_interval_holds_the_score_and_narrows_with_more_clips() -> None:
    hits = np.tile([1.0, 0.0, 1.0, 1.0], 10)
    truth = np.tile([0, 0, 1, 1], 10)
    few = by_clip(40).mean(one(hits))
    many = by_clip(800).mean(one(np.tile(hits, 20)))
    of_many = by_clip(800, truth=np.tile(truth, 20))
    per_sign = of_many.mean_per_sign(one(np.tile(hits, 20)))
    assert few[0] < 0.75 < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert per_sign[0] < 0.75 < per_sign[1]
    assert by_clip(40).mean(one(hits)) == few


def test_resampled_means_are_those_of_the_drawn_clips() -> None:
    random = np.random.default_rng(1)
    hits, truth = random.integers(0, 2, 30).astype(float), random.integers(0, 4, 30)
    draws = np.random.default_rng(0).integers(0, 30, size=(200, 30))
    bootstrap = by_clip(30, 200, truth)
    # Of 30 units a bootstrap is a little too narrow: √(30/29), and Student's t with 29 degrees.
    factor = np.sqrt(30 / 29) * 2.0452 / 1.96

    def widened(means: np.ndarray, mean: float) -> list[float]:
        return [mean + factor * (end - mean) for end in np.quantile(means, [0.025, 0.975])]

    expected = widened(hits[draws].mean(axis=1), hits.mean())
    assert bootstrap.mean(one(hits)) == pytest.approx(expected, abs=1e-5)
    per_sign = [mean_per_sign(hits[draw], truth[draw]) for draw in draws]
    expected = widened(np.array(per_sign), mean_per_sign(hits, truth))
    assert bootstrap.mean_per_sign(one(hits)) == pytest.approx(expected, abs=1e-5)


def test_encoders_and_draws_that_differ_make_a_score_less_sure() -> None:
    hits = np.tile([1.0, 0.0, 1.0, 1.0], 50)
    alike = np.broadcast_to(hits, (3, 4, 200))
    by_encoder = alike.copy()
    by_encoder[0] = 0
    by_draw = alike.copy()
    by_draw[:, :2] = 0
    bootstrap = by_clip(200)
    low, high = bootstrap.mean(alike)
    assert (low, high) == pytest.approx(bootstrap.mean(one(hits)))
    for other in (by_encoder, by_draw):
        wider = bootstrap.mean(other)
        assert wider[1] - wider[0] > 2 * (high - low)


def test_encoders_of_the_same_seeds_are_compared_pair_by_pair() -> None:
    # Seeds differ much, the two kinds of encoder hardly: paired, the lead is sure.
    random = np.random.default_rng(0)
    level = np.linspace(0.2, 0.8, 5)[:, None]
    worse = (random.random((5, 400)) < level).astype(float)[:, None]
    better = np.maximum(worse, random.random((5, 1, 400)) < 0.1)
    low, high = by_clip(400).difference(better, worse)
    assert 0 < low < (better - worse).mean() < high
    spread = by_clip(400).mean(better)
    assert high - low < (spread[1] - spread[0]) / 3


def test_clips_of_one_signer_are_drawn_together() -> None:
    # Six signers, each all hit or all missed: as unsure as six clips, not as sixty.
    signer = np.repeat(np.arange(6), 10)
    hits = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], 10)
    low, high = Bootstrap.draw(signer, np.zeros(60, int), 500, seed=0).mean(one(hits))
    few_low, few_high = by_clip(6).mean(one(hits[::10]))
    assert (low, high) == pytest.approx((few_low, few_high))
    narrow = by_clip(60).mean(one(hits))
    assert narrow[1] - narrow[0] < (high - low) / 2


def test_all_hit_is_not_certainty() -> None:
    hits, truth = one(np.ones(24)), np.tile([0, 1], 12)
    bootstrap = by_clip(24, truth=truth)
    low, high = bootstrap.mean(hits)
    assert low == pytest.approx(24 / (24 + 1.96**2))
    assert high == 1
    assert bootstrap.mean_per_sign(hits) == (low, high)
    low, high = bootstrap.mean(one(np.zeros(24)))
    assert (low, high) == (0, pytest.approx(1.96**2 / (24 + 1.96**2)))
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # Wilson's, by hand


def test_a_difference_is_surer_than_its_two_scores() -> None:
    # The better one hits what the other does and every fifth clip more.
    worse = one(np.tile([1.0, 1.0, 0.0, 0.0, 0.0], 20))
    better = one(np.tile([1.0, 1.0, 1.0, 0.0, 0.0], 20))
    bootstrap = by_clip(100)
    low, high = bootstrap.difference(better, worse)
    assert 0 < low < 0.2 < high
    assert high - low < bootstrap.mean(better)[1] - bootstrap.mean(better)[0]
    low, high = bootstrap.difference(one(np.ones(100)), one(np.ones(100)))
    assert low == -high < 0


@pytest.mark.parametrize(("total", "relevant"), [(72, 6), (12, 1), (3, 2), (1, 1)])
def test_chance_of_retrieval_is_what_random_orders_give(total: int, relevant: int) -> None:
    random = np.random.default_rng(0)
    similarity = random.random((20_000, total))
    is_relevant = np.broadcast_to(np.arange(total) < relevant, similarity.shape)
    order = np.argsort(-similarity, axis=1)
    expected = random_order(np.array([total]), np.array([relevant]))
    assert average_precision(is_relevant, similarity).mean() == pytest.approx(
        expected["map"], abs=0.01
    )
    for k, name in ((1, "r1"), (5, "r5")):
        assert (order[:, :k] < relevant).any(axis=1).mean() == pytest.approx(
            expected[name], abs=0.015
        )


def test_a_query_without_an_index_finds_nothing_by_chance_either() -> None:
    assert set(random_order(np.array([0, 9]), np.array([0, 0])).values()) == {0.0}


def test_one_clip_says_nothing_of_others() -> None:
    bootstrap = by_clip(1)
    assert bootstrap.mean(one(np.array([0.4]))) == (0.0, 1.0)
    low, high = bootstrap.difference(one(np.array([0.4])), one(np.array([0.3])))
    assert low < 0 < high


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_objectives_are_rarely_told_apart_by_few_seeds(seeds: int) -> None:
    # Seeds differ by much more than clips do; two objectives are drawn from the same.
    random, sure, trials = np.random.default_rng(seeds), 0, 200
    bootstrap = by_clip(500)
    for _ in range(trials):
        share = np.clip(0.6 + 0.08 * random.normal(size=(2, seeds, 1, 1)), 0, 1)
        a, b = (random.random((2, seeds, 1, 500)) < share).astype(float)
        low, high = bootstrap.difference(a, b)
        sure += low > 0 or high < 0
    assert sure / trials < 0.1


@pytest.mark.parametrize("signers", [5, 8])
def test_few_signers_are_covered(signers: int) -> None:
    random, covered, trials = np.random.default_rng(signers), 0, 200
    unit = np.repeat(np.arange(signers), 20)
    bootstrap = Bootstrap.draw(unit, np.zeros(len(unit), int), 500, seed=0)
    for _ in range(trials):
        share = np.clip(0.6 + 0.15 * random.normal(size=signers), 0, 1)
        low, high = bootstrap.mean(one((random.random(len(unit)) < share[unit]).astype(float)))
        covered += low <= 0.6 <= high
    assert covered / trials > 0.9
