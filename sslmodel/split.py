"""Who is train, val and test: said in this one place.

The labels' split where they give one; else by signer where all signers are known, so that a
score is for people never seen; else by clip within each sign. Val is for choosing, and is cut
from train where none is given. A signer never stands in two parts.
"""

from dataclasses import dataclass

import numpy as np

from poseprep.errors import InputError

PARTS = ("train", "val", "test")
TEST_SHARE = 0.25
VAL_SHARE = 0.15
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
        return {part: int(self.is_in(part).sum()) for part in PARTS}


def make_split(signs: np.ndarray, signers: np.ndarray, given: np.ndarray, seed: int) -> Split:
    """Split N clips. The same labels and seed give the same split.

    Args:
        signs, signers, given: (N,) text, the labels' columns; empty where unknown.

    Raises:
        InputError: the labels' split names an unknown part, gives no train, or puts a signer
            into two parts.
    """
    generator = np.random.default_rng(seed)
    if (given != "").any():
        part, how = _checked(signers, given), "as the labels say"
    elif (signers != "").all() and len(set(signers)) >= 2:
        part = _by_signer(signs, signers, np.full(len(signs), "train", object), "test", generator)
        how = "by signer"
    else:
        part = _by_clip(signs, np.full(len(signs), "train", object), "test", generator)
        how = "by clip within sign; signers may stand in several parts"
    if not (part == "val").any():
        part, val_how = _cut_val(signs, signers, part, generator)
        how += f"; val cut from train {val_how}"
    return Split(part, how)


def leaking_signers(split: Split, signers: np.ndarray) -> list[str]:
    """Signers who stand in test and also in train or val. A score over them flatters."""
    test = split.is_in("test")
    learned = split.is_in("train") | split.is_in("val")
    return sorted((set(signers[test]) & set(signers[learned])) - {""})


def _checked(signers: np.ndarray, given: np.ndarray) -> np.ndarray:
    unknown = sorted(set(given) - {*PARTS, ""})
    if unknown:
        raise InputError(
            f"the labels' split: expected train, val or test, found {unknown[0]!r}; "
            "correct labels.csv and run `slr extract` again (it only reads the labels)"
        )
    if "train" not in given:
        raise InputError("the labels' split: no clip is in train; name some, or none at all")
    for signer in sorted(set(signers) - {""}):
        parts = sorted(set(given[signers == signer]) - {""})
        if len(parts) > 1:
            raise InputError(
                f"the labels' split: signer {signer!r} stands in {' and '.join(parts)}; a signer "
                "may stand in one part only, or scores flatter. Correct labels.csv"
            )
    return given.astype(object)


def _cut_val(
    signs: np.ndarray, signers: np.ndarray, part: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, str]:
    train_signers = signers[part == "train"]
    if (train_signers != "").all() and len(set(train_signers)) >= 2:
        return _by_signer(signs, signers, part, "val", generator), "by signer"
    # One signer alone cannot be divided; val then flatters, but it only chooses a penalty.
    return _by_clip(signs, part, "val", generator), "by clip within sign"


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
