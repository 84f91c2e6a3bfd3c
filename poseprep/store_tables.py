"""The tables and attributes of a store: all of it that is no frame, and the checksum over that."""

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from poseprep.skeleton import Skeleton
from poseprep.store_layout import (
    CLIP_COLUMNS,
    PROBLEM_COLUMNS,
    SCHEMA,
    TABLES,
    TEXT,
    tables_sha256,
)
from poseprep.version import toolkit_version


def write_skeleton(file: h5py.File, skeleton: Skeleton) -> None:
    group = file.create_group("skeleton")
    group.create_dataset("names", data=list(skeleton.names), dtype=TEXT)
    group.create_dataset("edges", data=skeleton.edges.astype(np.int32))
    group.create_dataset("mirror", data=skeleton.mirror.astype(np.int32))
    slices = {part: (where.start, where.stop) for part, where in skeleton.parts.items()}
    group.attrs["parts"] = json.dumps(slices)


def write_tables(
    file: h5py.File,
    head: Mapping[str, Any],
    clips: Mapping[str, list[Any]],
    problems: Mapping[str, list[Any]],
) -> None:
    """The attributes of the root and the tables, and the checksum over them and the skeleton."""
    for name, value in head.items():
        text = isinstance(value, str)  # names of folders may be no UTF-8
        file.attrs.create(name, os.fsencode(value) if text else value, dtype=TEXT if text else None)
    for name, dtypes, columns in (
        ("clips", CLIP_COLUMNS, clips),
        ("problems", PROBLEM_COLUMNS, problems),
    ):
        for column, dtype in dtypes.items():
            values = np.array(columns[column], dtype=dtype)
            file.create_dataset(f"{name}/{column}", data=values, dtype=dtype)
    tables = {name: _values(file[name]) for name in TABLES}
    parts = file["skeleton"].attrs["parts"]
    file.attrs["tables_sha256"] = tables_sha256(file.attrs, parts, tables)


def _values(dataset: h5py.Dataset) -> np.ndarray:
    return (dataset.asstr() if dataset.dtype == object else dataset)[:]


def head_attributes(
    path: Path,
    settings: Mapping[str, Any],
    landmarker: Mapping[str, Any],
    videos: str | Path | None,
    labels_from: str,
    shard: str,
) -> dict[str, Any]:
    head = {
        "schema": SCHEMA,
        "created": now(),
        "tool": f"slr-toolkit {toolkit_version()}",
        "landmarker": json.dumps(dict(landmarker), sort_keys=True),
        "settings": json.dumps(dict(settings), sort_keys=True),
        "labels": labels_from,
        "shard": shard,
    }
    if videos is not None:
        folder = os.path.relpath(Path(videos).resolve(), path.resolve().parent)
        head["videos"] = folder
    return {name: value for name, value in head.items() if value != ""}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
