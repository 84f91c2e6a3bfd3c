"""`slr merge`: several stores of equal settings become one, such as the shards of a cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.journal import journal_path
from poseprep.place import check_place
from poseprep.settings import by_networks, differences
from poseprep.store import KeypointStore, Problem, StoreWriter


@dataclass
class Merged:
    """What came of a merge.

    Attributes:
        clips, frames, problems: that the new store holds.
        duplicates: clips that stood in several stores, with the same points.
        labels_differ: keys of those with other labels in other stores; the store named first has
            its way.
        missing_shards: such as "3/4", where other parts of 4 were given.
    """

    clips: int = 0
    frames: int = 0
    problems: int = 0
    duplicates: int = 0
    labels_differ: list[str] = field(default_factory=list)
    missing_shards: list[str] = field(default_factory=list)


def merge(
    stores: Sequence[str | Path],
    out: str | Path,
    overwrite: bool = False,
    tick: Callable[[int], None] = lambda frames: None,
) -> Merged:
    """Put the clips and problems of several stores into one, at `out`.

    Points and `points_sha256` stay byte for byte what they are; memory is for a piece of a clip.

    Args:
        tick: told the number of frames written, now and again.

    Raises:
        InputError: a store is none, is damaged, or was made with other settings, another
            landmarker or skeleton; two have different points under one key; `out` cannot be
            written, is one of them, or is there already.
    """
    paths, out = [Path(store) for store in stores], Path(out)
    _check_places(paths, out, overwrite)
    with ExitStack() as stack:
        opened = [stack.enter_context(KeypointStore(path)) for path in paths]
        for other in opened[1:]:
            _check_alike(opened[0], other)
        holders = _holders(opened)
        merged = Merged(clips=len(holders), missing_shards=_missing_shards(opened))
        _check_duplicates(holders, merged)
        writer = KeypointStore.create(
            out,
            opened[0].skeleton,
            opened[0].settings,
            opened[0].landmarker,
            videos=_common([_videos_folder(store) for store in opened]),
            labels_from=_common([store.labels_from for store in opened]) or "",
            shard=_common([store.shard for store in opened]) or "",
        )
        with writer:
            for key, among in holders.items():
                merged.frames += _copy(among[0], key, writer, tick)
            for problem in _problems(opened, holders):
                merged.problems += 1
                writer.add_problem(
                    problem.key,
                    problem.reason,
                    problem.file_bytes,
                    problem.file_modified,
                    problem.when or None,
                )
    return merged


def _missing_shards(stores: Sequence[KeypointStore]) -> list[str]:
    """The parts that are not there of what the others are parts of, such as "3/4".

    Raises:
        InputError: some are parts of one division of the videos, some of another.
    """
    parts = [store for store in stores if store.shard]
    for other in parts[1:]:
        if _division(other) != _division(parts[0]):
            raise InputError(
                f"{parts[0].path} is shard {parts[0].shard} and {other.path} is shard "
                f"{other.shard}: parts of different divisions do not make a whole; extract the "
                "shards of one division"
            )
    given = {store.shard for store in parts}
    count = _division(parts[0]) if parts else 0
    every = [f"{part}/{count}" for part in range(1, count + 1)]
    return [shard for shard in every if shard not in given]


def _division(store: KeypointStore) -> int:
    last = store.shard.partition("/")[2]
    if not last.isdecimal():
        raise InputError(f"{store.path}: its shard is {store.shard!r}; expected one such as 3/16")
    return int(last)


def _check_places(paths: Sequence[Path], out: Path, overwrite: bool) -> None:
    if not paths:
        raise InputError("expected stores to merge, found none; name one at least")
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise InputError(f"{path} and {seen[path.resolve()]} are one store; name it once")
        seen[path.resolve()] = path
    check_place(out)
    if out.resolve() in seen:
        raise InputError(f"{out}: is one of the stores to merge; name another place to write to")
    if journal_path(out).exists():
        raise InputError(
            f"{out}: an extraction to it is not finished ({journal_path(out)}); run it to its end, "
            "or name another place"
        )
    if out.exists() and not overwrite:
        raise InputError(f"{out}: already there; give --overwrite, or another place")


def _check_alike(one: KeypointStore, other: KeypointStore) -> None:
    """Raises InputError, with the differences, unless the points were made in the same way."""
    if found := differences(*by_networks(_made_by(one), _made_by(other))):
        raise InputError(
            f"{one.path} and {other.path} were made in different ways, and are never mixed "
            f"(the first → the second): {'; '.join(found)}. Merge stores of equal settings, or "
            "extract one of them again"
        )


def _made_by(store: KeypointStore) -> dict[str, Any]:
    skeleton = store.skeleton
    parts = {part: f"{where.stop - where.start} points" for part, where in skeleton.parts.items()}
    exactly = {
        "names": ", ".join(skeleton.names),
        "edges": skeleton.edges.tolist(),
        "mirror": skeleton.mirror.tolist(),
    }
    return {
        "settings": store.settings,
        "landmarker": store.landmarker,
        "skeleton": {**parts, **exactly},
    }


def _holders(stores: Sequence[KeypointStore]) -> dict[str, list[KeypointStore]]:
    """Key → the stores that have a clip of it; keys in order, stores as they were named."""
    holders: dict[str, list[KeypointStore]] = {}
    for store in stores:
        for key in store.keys:
            holders.setdefault(key, []).append(store)
    return dict(sorted(holders.items()))


def _check_duplicates(holders: Mapping[str, list[KeypointStore]], merged: Merged) -> None:
    for key, (first, *others) in holders.items():
        if not others:
            continue
        merged.duplicates += 1
        for other in others:
            if not _same_points(first, other, key):
                raise InputError(
                    f"{key}: {first.path} and {other.path} hold different points under "
                    "this key; name the videos differently, or extract one of the stores again "
                    "without that video (--prune drops what is gone)"
                )
        if len({_labels(store, key) for store in (first, *others)}) > 1:
            merged.labels_differ.append(key)


def _same_points(one: KeypointStore, other: KeypointStore, key: str) -> bool:
    if one.schema == other.schema:  # or their digests are of different things
        return one.clip_row(key)["points_sha256"] == other.clip_row(key)["points_sha256"]
    if one.clip_row(key)["length"] != other.clip_row(key)["length"]:
        return False
    return all(
        np.array_equal(a.time, b.time)
        and np.array_equal(a.points, b.points, equal_nan=True)
        and np.array_equal(a.confidence, b.confidence)
        and np.array_equal(a.source, b.source)
        for a, b in zip(one.pieces(key), other.pieces(key), strict=True)
    )


def _labels(store: KeypointStore, key: str) -> tuple[str, ...]:
    row = store.clip_row(key)
    return row["sign"], row["signer"], row["split"]


def _copy(store: KeypointStore, key: str, writer: StoreWriter, tick: Callable[[int], None]) -> int:
    """Copy a clip; gives the number of its frames."""

    def told() -> Iterator[Clip]:
        for piece in store.pieces(key):
            yield piece
            tick(len(piece.time))

    row = store.clip_row(key)
    if writer.add_pieces(told()) != row["points_sha256"] and store.schema == writer.schema:
        raise InputError(
            f"{store.path}: damaged, the points of {key} are not those that its points_sha256 was "
            "made of; `slr verify` tells all that is wrong. Take it from a copy, or extract again"
        )
    return int(row["length"])


def _problems(
    stores: Sequence[KeypointStore], holders: Mapping[str, list[KeypointStore]]
) -> list[Problem]:
    """All of them; but none of a video that another store has whole."""
    latest: dict[str, Problem] = {}
    known = [{problem.key for problem in store.problems} for store in stores]
    whole = {
        key
        for store, problems in zip(stores, known, strict=True)
        for key in store.keys
        if key not in problems
    }
    for store in stores:
        for problem in store.problems:
            there = latest.get(problem.key)
            if problem.key not in whole and (there is None or problem.when > there.when):
                latest[problem.key] = problem
    return list(latest.values())


def _videos_folder(store: KeypointStore) -> Path | None:
    try:
        return store.videos_folder().resolve()
    except InputError:
        return None


def _common(values: Sequence[Any]) -> Any:
    """What all of them are; None where they differ."""
    return values[0] if all(value == values[0] for value in values) else None
