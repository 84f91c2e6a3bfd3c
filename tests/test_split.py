"""Who is train, val and test."""

import numpy as np
import pytest

from poseprep.errors import InputError
from sslmodel.split import (
    PARTS,
    keep_parts,
    leak_remarks,
    leaking_signers,
    make_split,
    split_stores,
)


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


@pytest.mark.parametrize("unknown", ["p1", "p1 p2 p3", "p0 p1 p2 p3 p4 p5 p6"])
def test_where_some_signers_are_known_they_stand_in_one_part(unknown: str) -> None:
    signs, signers = labels()
    signers = np.array(["" if name in unknown.split() else name for name in signers], object)
    split = make_split(signs, signers, nothing(48), 0)
    assert all(split.sizes.values())
    for name in set(signers) - {""}:
        assert len(set(split.part[signers == name])) == 1


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
        (lambda given: given.__setitem__(0, "dev"), "'dev'.*slr label"),
        (lambda given: given.__setitem__(slice(None), "test"), "no clip is in train"),
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


def test_a_published_split_is_kept_and_its_leaks_are_told() -> None:
    signs, signers = labels()
    given = np.where(np.arange(48) % 8 < 4, "train", "test").astype(object)
    given[4] = "train"  # p4 signs s0 in train, all else in test
    split = make_split(signs, signers, given, 0)
    assert (split.part[given == "test"] == "test").all()
    assert leaking_signers(split, signers, given) == ["p4"]
    assert "1 signers" in leak_remarks(split, signers, given)[0]
    assert "p4" in leak_remarks(split, signers, given)[0]
    assert leak_remarks(make_split(signs, signers, nothing(48), 0), signers, nothing(48)) == []


def test_one_store_is_split_as_if_it_were_alone() -> None:
    signs, signers = labels()
    alone = make_split(signs, signers, nothing(48), 3)
    others = (*labels(signers=3), nothing(18))
    others = (others[0], np.array([f"other{s}" for s in others[1]], object), others[2])
    for stores in ([(signs, signers, nothing(48))], [(signs, signers, nothing(48)), others]):
        first = split_stores(stores, 3)[0]
        assert (first.part == alone.part).all()
        assert first.how == alone.how


@pytest.mark.parametrize("seed", range(5))
def test_a_signer_in_several_stores_stands_in_the_same_part_of_all(seed: int) -> None:
    few, many = labels(signs=3, signers=5), labels(signs=4, signers=9)
    splits = split_stores([(*few, nothing(15)), (*many, nothing(36))], seed)
    assert [len(split.part) for split in splits] == [15, 36]
    part_of = dict(zip(many[1], splits[1].part, strict=True))
    assert all(part_of[signer] == part for signer, part in zip(few[1], splits[0].part, strict=True))


def test_stores_that_share_signers_must_agree_on_who_says_the_split() -> None:
    signs, signers = labels()
    with pytest.raises(InputError, match="only some have a split"):
        split_stores(
            [(signs, signers, nothing(48)), (signs, signers, np.full(48, "train", object))], 0
        )


def test_what_has_a_part_keeps_it_and_draws_its_signers_other_clips_along() -> None:
    signs, signers = labels()
    fresh = make_split(signs, signers, nothing(48), 0)
    known = nothing(48)
    known[:3] = ("train", "val", "test")  # one clip each of p0, p1, p2
    kept = keep_parts(fresh, known, signers)
    for signer, part in (("p0", "train"), ("p1", "val"), ("p2", "test")):
        assert set(kept.part[signers == signer]) == {part}
    rest = ~np.isin(signers, ["p0", "p1", "p2"])
    assert (kept.part[rest] == fresh.part[rest]).all()
