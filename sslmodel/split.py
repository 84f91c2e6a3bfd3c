"""Who is train, val and test: said in this one place.

The labels' split where they give one; else by signer where all signers are known, so that a
score is for people never seen; else by clip within each sign. Val is for choosing, and is cut
from train where none is given. Split by signer, nobody stands in two parts; a split that the
labels give is kept as it is, and signers who stand in several parts of it are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from poseprep.errors import InputError

PARTS = ("train", "val", "test")
# Signs, signers and given parts of one store's N clips: three (N,) columns of text.
Labels = tuple[np.ndarray, np.ndarray, np.ndarray]
TEST_SHARE = 0.25
VAL_SHARE = 0.15
_BY_CLIP = "by clip within sign; signers are not known"
# Assignments of signers that are tried; the one nearest to the shares wins.
_TRIES = 200


@dataclass(frozen=True, eq=False)
class Split:
    """part: (N,) text, one of PARTS, or empty for a clip in none. how: told to the user."""

    part: np.ndarray
    how: str

    def is_in(self, part: str) -> np.ndarray:
        """(N,) bool."""
        return self.part == part

    @property
    def sizes(self) -> dict[str, int]:
        """How many clips each part has, those of PARTS in order."""
        return {part: int(self.is_in(part).sum()) for part in PARTS}


def make_split(signs: np.ndarray, signers: np.ndarray, given: np.ndarray, seed: int) -> Split:
    """Split N clips. The same labels and seed give the same split.

    Args:
        signs, signers, given: (N,) text, the labels' columns; empty where unknown.

    Raises:
        InputError: the labels' split names an unknown part, or gives no train.
    """
    generator = np.random.default_rng(seed)
    if (given != "").any():
        part, how = _checked(given), "as the labels say"
    else:
        part = np.full(len(signs), "train", object)
        part, how = _cut(signs, signers, part, "test", generator)
    if not (part == "val").any():
        part, val_how = _cut(signs, signers, part, "val", generator)
        how += f"; val cut from train {val_how}"
    return Split(part, how)


def split_stores(labels: Sequence[Labels], seed: int) -> list[Split]:
    """One split for each store. Stores that share a signer are split as one, and then cut.

    Nobody stands in train of one store and in test of another. Stores that share nobody are
    split one by one, so that each of them has all parts.

    Args:
        labels: of each store, the arguments of `make_split`.

    Raises:
        InputError: as `make_split` does, and where of two stores that share a signer only one
            has a split in its labels.
    """
    splits: dict[int, Split] = {}
    for group in _sharing([set(signers) - {""} for _, signers, _ in labels]):
        if len({bool((labels[i][2] != "").any()) for i in group}) > 1:
            raise InputError(
                "these stores share signers, but only some have a split in their labels; give "
                "all of them one, or none, with `slr label STORE labels.csv`"
            )
        signs, signers, given = (np.concatenate([labels[i][k] for i in group]) for k in range(3))
        split = make_split(signs, signers, given, seed)
        ends = np.cumsum([len(labels[i][0]) for i in group])
        for i, part in zip(group, np.split(split.part, ends[:-1]), strict=True):
            splits[i] = Split(part, split.how)
    return [splits[i] for i in range(len(labels))]


def _sharing(names: Sequence[set[str]]) -> list[list[int]]:
    """Groups of those that share a name, also by way of others."""
    groups: list[list[int]] = []
    for i, own in enumerate(names):
        joined = [group for group in groups if any(own & names[j] for j in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*chain.from_iterable(joined), i])
    return groups


def keep_parts(split: Split, known: np.ndarray, signers: np.ndarray) -> Split:
    """The same split, but what has a part already keeps it, and its signer's other clips join it.

    Args:
        known, signers: (N,) text, empty where there is no part yet, or the signer is unknown.
    """
    home = {s: part for s, part in zip(signers, known, strict=True) if s and part}
    rows = zip(known, signers, split.part, strict=True)
    part = np.array([k or (home.get(s, new) if new else "") for k, s, new in rows], object)
    return Split(part, f"{split.how}; what the run knows keeps its part")


def without_copies(split: Split, digests: np.ndarray, person: np.ndarray) -> tuple[Split, int]:
    """The same split without train and val clips that another part asks; and how many these are.

    A clip whose points stand in test leaves train and val, one whose points stand in val leaves
    train: a file that was copied must not be both learned and asked.

    Args:
        digests: (N,) the hash of what was measured in each clip.
        person: (N,) bool; clips that show nobody are all alike, and no copies.
    """
    digests = digests.astype(str)
    test, val = split.is_in("test") & person, split.is_in("val") & person
    again = ~split.is_in("test") & np.isin(digests, digests[test])
    again |= split.is_in("train") & np.isin(digests, digests[val])
    again &= (split.part != "") & person
    return Split(np.where(again, "", split.part), split.how), int(again.sum())


def development(split: Split, signs: np.ndarray, signers: np.ndarray, seed: int) -> Split:
    """The split to choose by: val takes test's place, a val is cut from train, test is unseen."""
    part = np.where(split.is_in("test"), "", np.where(split.is_in("val"), "test", split.part))
    part, how = _cut(signs, signers, part.astype(object), "val", np.random.default_rng(seed))
    return Split(
        part, f"{split.how}; val scores in test's place, and a val is cut from train {how}"
    )


def signer_out_split(
    signs: np.ndarray, signers: np.ndarray, used: np.ndarray, signer: str, seed: int
) -> Split:
    """One signer's clips are test; val is cut from the others'. `used`: (N,) bool, who has a part.

    signs: (N,) text or numbers.
    """
    part = np.where(signers == signer, "test", "train").astype(object)
    part[~used] = ""
    part, how = _cut(signs, signers, part, "val", np.random.default_rng(seed))
    return Split(part, f"{signer} is test; val cut from the others {how}")


def within_signer_split(signers: np.ndarray, used: np.ndarray, seed: int) -> Split:
    """Every signer's own clips divided into train, val and test: to ask who signs."""
    generator = np.random.default_rng(seed)
    part = np.where(used, "train", "").astype(object)
    for new in ("test", "val"):
        part = _by_clip(signers, part, new, generator)
    return Split(part, "by clip within signer")


def leaking_signers(split: Split, signers: np.ndarray, given: np.ndarray) -> list[str]:
    """Signers who stand in test and also in train or val. A score over them flatters.

    So do those of val who stand in train, where the labels (`given`) say so. A val that is cut
    here shares signers with train only where train has no two known ones.
    """
    test, val, train = (split.is_in(part) for part in ("test", "val", "train"))
    leaking = set(signers[test]) & set(signers[train | val])
    if (given == "val").any():
        leaking |= set(signers[val]) & set(signers[train])
    return sorted(leaking - {""})


def leak_remarks(split: Split, signers: np.ndarray, given: np.ndarray) -> list[str]:
    """What to tell of them; nothing where there is none."""
    leaking = leaking_signers(split, signers, given)
    if not leaking:
        return []
    more = ", …" if len(leaking) > 5 else ""
    return [
        f"not signer-independent, so that scores flatter: {len(leaking)} signers stand in several "
        f"parts ({', '.join(leaking[:5])}{more})"
    ]


def _checked(given: np.ndarray) -> np.ndarray:
    unknown = sorted(set(given) - {*PARTS, ""})
    if unknown:
        raise InputError(
            f"the labels' split: expected train, val or test, found {unknown[0]!r}; "
            "correct labels.csv and run `slr label STORE labels.csv`"
        )
    if "train" not in given:
        raise InputError("the labels' split: no clip is in train; name some, or none at all")
    return given.astype(object)


def _cut(
    signs: np.ndarray,
    signers: np.ndarray,
    part: np.ndarray,
    new: str,
    generator: np.random.Generator,
) -> tuple[np.ndarray, str]:
    """Move clips from train to `new`: whole signers where they are known; and how it was done."""
    known, train = signers != "", part == "train"
    people = len(set(signers[known & train]))
    if people == 1 and known[train].all():
        # One signer alone cannot be divided.
        return _by_clip(signs, part, new, generator), "by clip within sign: there is one signer"
    if people >= 2:
        rows = np.flatnonzero(known)
        part = part.copy()
        part[rows] = _by_signer(signs[rows], signers[rows], part[rows], new, generator)
    if known[train].all():
        return part, "by signer"
    # A signer who alone is known stays in train.
    rows = np.flatnonzero(~known)
    part = part.copy()
    part[rows] = _by_clip(signs[rows], part[rows], new, generator)
    return part, "by signer where known, else by clip within sign" if people else _BY_CLIP


def _by_signer(
    signs: np.ndarray,
    signers: np.ndarray,
    part: np.ndarray,
    new: str,
    generator: np.random.Generator,
) -> np.ndarray:
    """Move whole signers from train to `new`: near its share, and leaving every sign in train."""
    train = part == "train"
    # Clips without a sign count only where none has one: a score needs signs in every part.
    counted = (signs != "") if (signs != "").any() else np.ones(len(signs), bool)
    names, where = np.unique(signers[train].astype(str), return_inverse=True)
    clips = np.bincount(where, weights=counted[train])
    wanted = _share(new) * counted.sum()
    best, best_cost = None, (np.inf, np.inf)
    for _ in range(_TRIES):
        order = generator.permutation(len(names))
        total = np.cumsum(clips[order])[:-1]  # at least one signer stays
        count = 1 + int(np.argmin(np.abs(total - wanted)))
        moved = train & np.isin(signers.astype(str), names[order[:count]])
        lost = len(set(signs[moved]) - set(signs[train & ~moved]))
        cost = (float(lost), abs(float((moved & counted).sum()) - wanted))
        if cost < best_cost:
            best, best_cost = moved, cost
    return np.where(best, new, part) if best is not None else part


def _by_clip(
    signs: np.ndarray, part: np.ndarray, new: str, generator: np.random.Generator
) -> np.ndarray:
    """Move a share of every sign's clips from train to `new`; the last one stays in train."""
    result = part.copy()
    owed = 0.0  # carried from sign to sign, so that signs of few clips add up to the share
    for sign in sorted(set(signs)):
        clips = np.flatnonzero((signs == sign) & (part == "train"))
        owed += _share(new) * int((signs == sign).sum())
        count = int(np.clip(round(owed), min(1, len(clips) - 1), max(0, len(clips) - 1)))
        owed -= count
        result[generator.permutation(clips)[:count]] = new
    return result


def _share(part: str) -> float:
    return TEST_SHARE if part == "test" else VAL_SHARE
