"""What a score is asked of: which sign does each test clip show? And which clips can be asked."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from poseprep.errors import InputError
from poseprep.wording import count
from sslmodel.dataset import Dataset
from sslmodel.split import PARTS, Split, leak_remarks, leaking_signers, without_copies

# With fewer test clips a score says little; the interval shows it, and a note says it.
_FEW = 30
_MOST_REASONS = 5


@dataclass(frozen=True, eq=False)
class Task:
    """N clips, of which some are learned from, some choose and some are asked.

    Attributes:
        names: (S,) the signs, sorted.
        signs: (N,) each clip's sign as its place in `names`; −1 where unknown.
        train, val, test: no clip is in two of them; those in none are not used.
        signers: (N,) text, empty where unknown.
    """

    names: np.ndarray
    signs: Int[np.ndarray, " N"]
    train: Bool[np.ndarray, " N"]
    val: Bool[np.ndarray, " N"]
    test: Bool[np.ndarray, " N"]
    signers: np.ndarray

    @property
    def truth(self) -> Int[np.ndarray, " M"]:
        """The signs of the test clips."""
        return self.signs[self.test]


@dataclass(frozen=True)
class Coverage:
    """Clips and videos that a score could be of, used for it, and left out with the reason.

    Attributes:
        expected: clips in the store, and videos that could not be read.
        without_person: of those used.
    """

    expected: int
    used: int
    left_out: dict[str, int]
    without_person: int
    parts: dict[str, int]
    signs: int


def make_task(
    dataset: Dataset, split: Split, allow_signer_leak: bool
) -> tuple[Task, Coverage, list[str]]:
    """The task that a store's labels and a split give, which clips it covers, and what to tell.

    Test clips whose sign train does not show are asked all the same, and missed. Clips of train
    and val whose points are those of a clip of test are not learned from.

    Raises:
        InputError: labels that allow no score, or signers of test who stand in train or val too.
    """
    labelled = dataset.signs != ""
    leaking = leaking_signers(split, dataset.signers, dataset.splits)
    if leaking and not allow_signer_leak:
        raise InputError(
            f"{dataset.path}: {count(len(leaking), 'signer')} in several parts of the split: "
            f"{', '.join(leaking[:5])} (split {split.how}). A score would partly be one of "
            "recognising people. Give labels with another split, or with none and two signers or "
            "more (`slr label`), and it is made by signer; then pretrain again, because a run "
            "keeps the split that it learned by. Or score this one all the same with "
            "`--allow-signer-leak`, which marks the result"
        )
    notes = leak_remarks(split, dataset.signers, dataset.splits)
    clean, copies = without_copies(split, dataset.digests, dataset.person)
    parts = {part: labelled & clean.is_in(part) for part in PARTS}
    used = np.logical_or.reduce(list(parts.values()))
    dropped = labelled & (split.part != "") & ~used
    left_out = {
        "no sign": int((~labelled).sum()),
        "in no part": int((labelled & (split.part == "")).sum()),
        "the same points stand in a part that scores": int(dropped.sum()),
        **_unread(dataset.problems),
    }
    if copies:
        notes.append(
            f"{count(copies, 'clip')} of train or val with the points of a clip of another part: "
            "not learned from here"
        )
    names, signs = _numbered(dataset.signs, used)
    task = Task(names, signs, parts["train"], parts["val"], parts["test"], dataset.signers)
    _check(dataset, task, split, left_out)
    coverage = Coverage(
        expected=len(dataset) + len(dataset.problems),
        used=int(used.sum()),
        left_out={why: clips for why, clips in left_out.items() if clips},
        without_person=int((used & ~dataset.person).sum()),
        parts={part: int(parts[part].sum()) for part in PARTS},
        signs=len(names),
    )
    return task, coverage, notes + _remarks(task)


def _unread(problems: dict[str, str]) -> dict[str, int]:
    """Reason → how many videos have no clip for it; the rarer reasons as one."""
    reasons = Counter(problems.values()).most_common()
    found = {f"video: {why}": clips for why, clips in reasons[:_MOST_REASONS]}
    others = sum(clips for _, clips in reasons[_MOST_REASONS:])
    return {**found, "video: other reasons (`slr info`)": others}


def _numbered(signs: np.ndarray, used: Bool[np.ndarray, " N"]) -> tuple[np.ndarray, np.ndarray]:
    names = np.unique(signs[used].astype(str))
    number = {name: i for i, name in enumerate(names.tolist())}
    return names, np.array([number.get(sign, -1) for sign in signs], int)


def _remarks(task: Task) -> list[str]:
    notes = []
    unseen = ~np.isin(task.truth, task.signs[task.train])
    if unseen.any():
        signs = task.names[np.unique(task.truth[unseen])]
        some = ", ".join(signs[:5]) + (", …" if len(signs) > 5 else "")
        notes.append(
            f"{count(int(unseen.sum()), 'test clip')} of {count(len(signs), 'sign')} that train "
            f"does not show count as missed: {some}"
        )
    if not task.val.any():
        notes.append("no labelled clip in val: folds of train chose the penalty")
    if task.test.sum() < _FEW:
        notes.append(f"{count(int(task.test.sum()), 'test clip')} only: see the intervals")
    unknown = int((task.signers[task.train | task.val | task.test] == "").sum())
    if unknown:
        notes.append(
            f"the signers of {count(unknown, 'clip')} are not known: nobody can say whether this "
            "score is signer-independent"
        )
    return notes


def _check(dataset: Dataset, task: Task, split: Split, left_out: dict[str, int]) -> None:
    """Can these labels give a score at all?"""
    why_left = "; ".join(f"{clips} left out: {why}" for why, clips in left_out.items() if clips)
    if task.train.any() and not (dataset.person & task.train).any():
        raise InputError(
            f"{dataset.path}: no clip of train shows a person; look at some with `slr show`, and "
            "see `slr info`"
        )
    if len(task.names) < 2:
        found = f"only {task.names[0]!r}" if len(task.names) else "none"
        raise InputError(
            f"{dataset.path}: a score needs at least two signs, found {found}; put videos into "
            "folders named by sign, or give the store labels with `slr label STORE labels.csv`"
        )
    if not task.test.any():
        most = np.bincount(task.signs[task.signs >= 0]).max()
        why = (
            "every sign has one clip only, and none can be both learned and asked; "
            "`slr search` needs no labels"
            if most == 1
            else "label more clips, or give some the split test (`slr label`)"
        )
        sizes = ", ".join(f"{part} {clips}" for part, clips in split.sizes.items())
        raise InputError(
            f"{dataset.path}: no labelled clip in test (split {split.how}: {sizes}); {why}"
        )
    shown = np.unique(task.signs[task.train])
    if len(shown) < 2:
        found = f"only the sign {task.names[shown[0]]!r}" if len(shown) else "no labelled clip"
        raise InputError(
            f"{dataset.path}: train has {found} (split {split.how}{why_left and '; '}{why_left}), "
            "and a classifier needs two signs to choose from; put clips of other signs into train"
        )
    if not np.isin(task.truth, shown).any():
        raise InputError(
            f"{dataset.path}: no sign of test is in train, such as {task.names[task.truth[0]]!r} "
            f"(split {split.how}); a sign never shown cannot be named. Add clips of it by other "
            "signers"
        )
