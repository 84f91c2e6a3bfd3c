"""Who is train, val and test."""

import numpy as np
import pytest

from poseprep.errors import InputError
from sslmodel.split import PARTS, make_split


def labels(signs: int = 6, signers: int = 8, reps: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rows = [(f"s{i}", f"p{j}") for i in range(signs) for j in range(signers) for _ in range(reps)]
    table = np.array(rows, object)
    return table[:, 0], table[:, 1]


def nothing(count: int) -> np.ndarray:
    return np.full(count, "", object)


def parts_of(values: np.ndarray, part: np.ndarray) -> list[set[str]]:
    return [set(values[part == name]) for name in PARTS]


@pytest.mark.parametrize("seed", range(5))
def test_a_signer_never_stands_in_two_parts(seed: int) -> None:
    signs, signers = labels()
    split = make_split(signs, signers, nothing(len(signs)), seed)
    train, val, test = parts_of(signers, split.part)
    assert train
    assert val
    assert test
    assert len(train) + len(val) + len(test) == len(train | val | test)
    assert split.how.startswith("by signer")


def test_the_shares_are_near_what_was_wanted() -> None:
    signs, signers = labels(signers=20)
    sizes = make_split(signs, signers, nothing(len(signs)), 0).sizes
    assert sizes == {"train": 72, "val": 18, "test": 30}


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    signs, signers = labels()
    first, again, other = (make_split(signs, signers, nothing(48), s).part for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_sign_that_few_signers_know_stays_in_train() -> None:
    signs, signers = labels(signs=5, signers=10)
    signs = np.where((signers == "p3") & (signs == "s0"), "rare", signs)
    for seed in range(10):
        split = make_split(signs, signers, nothing(len(signs)), seed)
        assert "rare" in set(signs[split.is_in("train")])


def test_without_signers_every_sign_is_divided() -> None:
    signs, _ = labels(signs=4, signers=8)
    split = make_split(signs, nothing(32), nothing(32), 0)
    for sign in set(signs):
        assert set(split.part[signs == sign]) == set(PARTS)
    assert "by clip" in split.how


def test_signs_of_two_clips_still_give_every_part() -> None:
    signs, _ = labels(signs=10, signers=3)
    split = make_split(signs, nothing(30), nothing(30), 0)
    train, _, test = parts_of(signs, split.part)
    assert train == test == set(signs)


def test_the_labels_own_split_is_kept_and_val_is_cut_from_train() -> None:
    signs, signers = labels()
    given = np.where(np.isin(signers, ["p0", "p1"]), "test", "train").astype(object)
    split = make_split(signs, signers, given, 0)
    assert ((split.part == "test") == (given == "test")).all()
    _, val, _ = parts_of(signers, split.part)
    assert len(val) == 1
    given[signers == "p2"] = "val"
    assert (make_split(signs, signers, given, 0).part == given).all()


def test_a_clip_without_a_part_is_in_none() -> None:
    signs, signers = labels()
    given = np.where(signers == "p0", "test", "train").astype(object)
    given[signers == "p1"] = ""
    assert set(make_split(signs, signers, given, 0).part[signers == "p1"]) == {""}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given.__setitem__(0, "dev"), "'dev'"),
        (lambda given: given.__setitem__(slice(None), "test"), "no clip is in train"),
        (lambda given: given.__setitem__(1, "test"), "signer 'p1' stands in test and train"),
    ],
)
def test_a_split_that_cannot_be_is_refused(change, message: str) -> None:
    signs, signers = labels()
    given = np.where(signers == "p0", "test", "train").astype(object)
    change(given)
    with pytest.raises(InputError, match=message):
        make_split(signs, signers, given, 0)


def test_unlabelled_clips_can_be_split_too() -> None:
    split = make_split(nothing(20), nothing(20), nothing(20), 0)
    assert split.sizes == {"train": 12, "val": 3, "test": 5}
