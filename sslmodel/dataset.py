"""A store as one tensor: everything that training and probing read, loaded once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.normalize import normalize
from poseprep.skeleton import SIGNING, Skeleton
from poseprep.store import KeypointStore
from poseprep.wording import some
from sslmodel.config import InputConfig
from sslmodel.split import Split, without_copies


@dataclass(frozen=True, eq=False)
class Dataset:
    """Normalised clips of one store. A long clip has several windows.

    Attributes:
        points: (W, T, V, 3), 1.0 is one shoulder width, 0 where missing. z is for views alone: the
            encoder and the raw baseline read x and y.
        seen: (W, T, V), 1 where a point is known, else 0.
        clip: (W,), the clip that each window belongs to.
        keys, signs, signers, splits: (N,) each, of the clips; empty text where unknown.
        digests: (N,) the hash of the points that are read of each clip, whatever it is called and
            whatever its times and confidences are.
        skeleton: names the V points.
        missing: those of them that the store does not have; they are nowhere seen.
        problems: key → reason, of videos of which the store has no clip at all.
        path, content_hash, landmarker: the store that was read, and what made it.
    """

    points: Float[Tensor, "W T V C"]
    seen: Float[Tensor, "W T V"]
    clip: Int[Tensor, " W"]
    keys: np.ndarray
    signs: np.ndarray
    signers: np.ndarray
    splits: np.ndarray
    digests: np.ndarray
    skeleton: Skeleton
    missing: tuple[str, ...]
    problems: dict[str, str]
    path: Path
    content_hash: str
    landmarker: dict[str, Any]

    def __len__(self) -> int:
        return len(self.keys)

    def windows_of(self, clips: np.ndarray) -> Int[Tensor, " K"]:
        """The windows of some clips, in order; clips is (N,) bool."""
        return torch.nonzero(torch.as_tensor(clips)[self.clip])[:, 0]

    @property
    def remarks(self) -> list[str]:
        """What to tell of the points that the store does not have."""
        if not self.missing:
            return []
        return [
            f"{len(self.missing)} of the encoder's {len(self.skeleton)} points are not in "
            f"{self.path} and count as unseen: {some(list(self.missing))}"
        ]

    @property
    def person(self) -> np.ndarray:
        """(N,) bool: whether any point of a clip was ever seen."""
        found = np.zeros(len(self), bool)
        found[self.clip[self.seen.flatten(1).any(dim=1)].numpy()] = True
        return found


def signing_skeleton(store: KeypointStore) -> Skeleton:
    """The points that an encoder reads of this store: those of SIGNING that it has."""
    names = [name for name in SIGNING if name in store.skeleton]
    if not names:
        raise InputError(
            f"{store.path}: none of its {len(store.skeleton.names)} points is one that an encoder "
            f"reads (such as {SIGNING[0]!r} or {SIGNING[-1]!r}); points are matched by name"
        )
    return store.skeleton.select(names)


def common_skeleton(paths: Sequence[Path]) -> Skeleton:
    """The points that an encoder reads and that all these stores have."""
    if not paths:
        raise InputError("expected at least one store (a path ending in .h5), found none")
    with KeypointStore(paths[0]) as store:
        skeleton = signing_skeleton(store)
    for path in paths[1:]:
        with KeypointStore(path) as store:
            shared = [name for name in skeleton.names if name in store.skeleton]
        if not shared:
            raise InputError(f"{path}: shares no point with {paths[0]}; pretrain them apart")
        skeleton = skeleton.select(shared)
    return skeleton


def load(path: Path, skeleton: Skeleton, settings: InputConfig) -> Dataset:
    """Read a store's clips as an encoder of this skeleton sees them; points match by name.

    Points that the store does not have are nowhere seen, and `missing` names them.

    Raises:
        InputError: the store has none of the points, or holds no clip.
    """
    with KeypointStore(path) as store:
        there = _shared(store.skeleton, skeleton, path)
        found = skeleton.select(np.array(skeleton.names)[there])
        if not store.keys:
            raise InputError(f"{path}: holds no clip; `slr extract` some videos into it")
        points = store.points(found.names)
        times = store.times()
        _check_finite(points, store)
        windows = [
            normalize(
                points[start : start + length],
                times[start : start + length],
                found,
                frames=settings.frames,
                gap_seconds=settings.gap_seconds,
                window_seconds=settings.window_seconds,
            )
            for start, length in zip(store.starts, store.lengths, strict=True)
        ]
        counts = [len(w[0]) for w in windows]
        return Dataset(
            points=_spread(np.concatenate([w[0] for w in windows]), there),
            seen=_spread(np.concatenate([w[1] for w in windows]).astype(np.float32), there),
            clip=torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)),
            keys=np.asarray(store.keys, dtype=object),
            signs=np.asarray(store.signs, dtype=object),
            signers=np.asarray(store.signers, dtype=object),
            splits=np.asarray(store.splits, dtype=object),
            digests=np.asarray(
                [
                    hashlib.sha256(points[start : start + length, :, :2].tobytes()).hexdigest()
                    for start, length in zip(store.starts, store.lengths, strict=True)
                ],
                dtype=object,
            ),
            skeleton=skeleton,
            missing=tuple(np.array(skeleton.names)[~there].tolist()),
            problems=_without_clip(store),
            path=Path(path),
            content_hash=store.content_hash(),
            landmarker=store.landmarker,
        )


def _check_finite(points: Float[np.ndarray, "F V C"], store: KeypointStore) -> None:
    infinite = np.flatnonzero(np.isinf(points).any(axis=(1, 2)))
    if len(infinite):
        clip = int(np.searchsorted(store.starts, infinite[0], side="right")) - 1
        raise _infinite(f"{store.path}: clip {store.keys[clip]}")


def _infinite(clip: str) -> InputError:
    return InputError(
        f"{clip} has infinite points; a point that is missing is NaN (docs/format.md). Write the "
        "store again without them"
    )


def _without_clip(store: KeypointStore) -> dict[str, str]:
    """The problems of videos of which nothing was stored, neither whole nor a segment."""
    stored = {key.partition("#")[0] for key in store.keys} | set(store.keys)
    return {p.key: p.reason for p in store.problems if p.key not in stored}


def normalized_clip(
    clip: Clip, skeleton: Skeleton, settings: InputConfig
) -> tuple[Float[Tensor, "W T V 3"], Float[Tensor, "W T V"]]:
    """One clip's windows and what is seen in them, as `load` makes them of a whole store.

    Raises:
        InputError: the clip has none of the points, or infinite ones.
    """
    there = _shared(clip.skeleton, skeleton, clip.key)
    found = skeleton.select(np.array(skeleton.names)[there])
    points = clip.points[:, clip.skeleton.indices(found.names)]
    if np.isinf(points).any():
        raise _infinite(f"clip {clip.key}")
    points, seen = normalize(
        points,
        clip.time,
        found,
        frames=settings.frames,
        gap_seconds=settings.gap_seconds,
        window_seconds=settings.window_seconds,
    )
    return _spread(points, there), _spread(seen.astype(np.float32), there)


def _shared(has: Skeleton, wanted: Skeleton, where: object) -> Bool[np.ndarray, " V"]:
    """Which of the wanted points are there."""
    there = np.array([name in has for name in wanted.names])
    if not there.any():
        raise InputError(
            f"{where}: has none of the {len(wanted)} points that the encoder reads (such as "
            f"{wanted.names[0]!r}); pretrain on this store, or on one that shares points"
        )
    return there


def _spread(values: np.ndarray, there: Bool[np.ndarray, " V"]) -> Tensor:
    """The points that are there, in their places among all points (axis 2); zeros elsewhere."""
    if there.all():
        return torch.from_numpy(values)
    spread = np.zeros((*values.shape[:2], len(there), *values.shape[3:]), values.dtype)
    spread[:, :, there] = values
    return torch.from_numpy(spread)


def check_distinct(datasets: Sequence[Dataset]) -> None:
    """Raise InputError where two stores hold the same clips."""
    paths: dict[str, Path] = {}
    for dataset in datasets:
        if dataset.content_hash in paths:
            raise InputError(
                f"{dataset.path}: holds the same clips as {paths[dataset.content_hash]}; "
                "give each store once"
            )
        paths[dataset.content_hash] = dataset.path


@dataclass(frozen=True, eq=False)
class TrainingWindows:
    """What is learned from.

    Attributes:
        points, seen: as in `Dataset`.
        keys: (W,) the key of each window's clip; with several stores, the store's name before it.
        clips: how many clips the windows are of.
        told: what the user must know.
    """

    points: Float[Tensor, "W T V C"]
    seen: Float[Tensor, "W T V"]
    keys: list[str]
    clips: int
    told: list[str]


def training_windows(
    datasets: Sequence[Dataset], splits: Sequence[Split], all_clips: bool
) -> TrainingWindows:
    """The train part's windows that show somebody.

    A clip of train with the points of a clip of val or test, in whichever store, is left out.

    Raises:
        InputError: there are fewer than two clips.
    """
    points, seen, keys, clips, told = [], [], [], 0, []
    every = Split(np.concatenate([split.part for split in splits]), "")
    digests, person = (
        np.concatenate([getattr(d, c) for d in datasets]) for c in ("digests", "person")
    )
    clean, copies = without_copies(every, digests, person)
    if copies and not all_clips:
        told.append(f"{copies} clips are copies of clips of another part and teach nothing")
    ends = np.cumsum([len(dataset) for dataset in datasets])[:-1]
    for dataset, part in zip(datasets, np.split(clean.part, ends), strict=True):
        wanted = np.ones(len(dataset), bool) if all_clips else part == "train"
        empty = int((wanted & ~dataset.person).sum())
        if empty:
            told.append(f"{dataset.path}: {empty} clips show no person and teach nothing")
        clips += int((wanted & dataset.person).sum())
        rows = dataset.windows_of(wanted)
        # A window of a long clip may be empty though the clip is not.
        shown = dataset.seen[rows].flatten(1).any(dim=1)
        of_person = torch.as_tensor(dataset.person)[dataset.clip[rows]]
        blank = int((of_person & ~shown).sum())
        if blank:
            told.append(
                f"{dataset.path}: {blank} windows of longer clips show no person and teach nothing"
            )
        rows = rows[shown]
        points.append(dataset.points[rows])
        seen.append(dataset.seen[rows])
        prefix = f"{dataset.path.name}:" if len(datasets) > 1 else ""
        keys += [prefix + key for key in dataset.keys[dataset.clip[rows].numpy()]]
    if clips < 2:
        why = f" ({'; '.join(told)})" if told else ""
        raise InputError(
            f"expected at least 2 clips with a person in the train part, found {clips}{why}; "
            "extract more videos, or pretrain with `--all-clips`"
        )
    return TrainingWindows(torch.cat(points), torch.cat(seen), keys, clips, told)
