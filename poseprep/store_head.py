"""What a store says of itself beside its frames: read with care, and checked (docs/format.md)."""

from itertools import pairwise
from typing import Any

import numpy as np

from poseprep.errors import InputError
from poseprep.skeleton import Skeleton
from poseprep.store_file import StoreFile, json_object
from poseprep.store_layout import (
    CLIP_COLUMNS,
    PROBLEM_COLUMNS,
    READABLE,
    SCHEMA,
    SINCE_SCHEMA_2,
    TABLES,
    Problem,
    frame_datasets,
    one_line,
    tables_sha256,
)

_MOST_PIXELS = 2**20  # of a side: no picture is larger


class StoreHead:
    """The attributes and tables of a store; the attributes are those of `KeypointStore`.

    Raises:
        InputError: the store is of another schema, or a table cannot be read.
        KeyError, ValueError, TypeError, AttributeError: it is no store.
    """

    def __init__(self, file: StoreFile):
        attrs = file.attrs
        schema = attrs["schema"]
        if schema not in READABLE:
            raise InputError(
                f"{file.path}: schema {schema}, this version reads {SCHEMA}; run `slr extract` "
                f"again, or install the slr-toolkit that wrote it "
                f"({attrs.get('tool', 'version unknown')})"
            )
        self.schema = int(schema)
        self.created, self.tool = str(attrs["created"]), str(attrs["tool"])
        self.landmarker = json_object(attrs, "landmarker")
        self.settings = json_object(attrs, "settings")
        self.labels_from, self.shard = (str(attrs.get(name, "")) for name in ("labels", "shard"))
        self.skeleton = _read_skeleton(file)
        self.columns = self._table(file, "clips", CLIP_COLUMNS)
        self.frames = int(self.columns["length"].sum())
        self.problem_columns = self._table(file, "problems", PROBLEM_COLUMNS)
        rows = zip(*(column.tolist() for column in self.problem_columns.values()), strict=True)
        self.problems = [Problem(*row) for row in rows]

    def _table(self, file: StoreFile, name: str, dtypes: dict[str, Any]) -> dict[str, np.ndarray]:
        """A table; columns that an older schema lacks are 0."""
        lacking = [
            column
            for column in SINCE_SCHEMA_2
            if self.schema < SCHEMA and column not in file.group(name)
        ]
        there = {column: dtype for column, dtype in dtypes.items() if column not in lacking}
        columns = file.table(name, there)
        return columns | {c: np.zeros(len(columns["key"]), dtypes[c]) for c in lacking}


def _read_skeleton(file: StoreFile) -> Skeleton:
    slices = json_object(file.group("skeleton").attrs, "parts")
    parts = {part: slice(int(start), int(stop)) for part, (start, stop) in slices.items()}
    names = tuple(file.read("skeleton/names").tolist())
    edges, mirror = file.read("skeleton/edges"), file.read("skeleton/mirror")
    skeleton = Skeleton(names, edges, mirror, parts)
    if not skeleton.fits_together():
        raise ValueError("names, edges, mirror and parts of /skeleton do not fit together")
    return skeleton


def check_frames(file: StoreFile, head: StoreHead) -> None:
    """Raises ValueError where the tables and what lies under /frames do not fit together."""
    table, keys = head.columns, head.columns["key"].tolist()
    starts, lengths = table["start"], table["length"]
    if (lengths < 1).any() or (starts != np.cumsum(lengths) - lengths).any():
        raise ValueError("the clips' start and length do not lie end to end")
    if any(a >= b for a, b in pairwise(keys)):
        raise ValueError("the keys do not rise")
    sizes = np.concatenate([table["width"], table["height"]])
    if ((sizes < 0) | (sizes > _MOST_PIXELS)).any():
        raise ValueError(f"a width or height is not in 0..{_MOST_PIXELS}")
    if not (np.isfinite(table["fps"]) & (table["fps"] >= 0)).all():
        raise ValueError("an fps is no number of frames a second")
    for name, (shape, dtype) in frame_datasets(head.skeleton).items():
        dataset, expected = file.dataset(f"frames/{name}"), (head.frames, *shape)
        if dataset.shape != expected or dataset.dtype != dtype:
            raise ValueError(
                f"/frames/{name} should be {np.dtype(dtype)} {expected}, "
                f"found {dataset.dtype} {dataset.shape}"
            )


def tables_damaged(file: StoreFile, head: StoreHead) -> str:
    """What speaks against the skeleton and the tables; empty where they are as written."""
    try:
        expected = file.attrs.get("tables_sha256")
        if expected is None:
            return "" if head.schema < SCHEMA else "its attribute tables_sha256 is missing"
        parts = file.group("skeleton").attrs["parts"]
        if tables_sha256(file.attrs, parts, _tables(file, head)) == expected:
            return ""
    except (OSError, RuntimeError, ValueError) as error:
        return f"damaged, its attributes cannot be read ({one_line(error)})"
    return (
        "damaged, or changed by another program: skeleton, tables or attributes are not what "
        "its attribute tables_sha256 was made of"
    )


def _tables(file: StoreFile, head: StoreHead) -> dict[str, np.ndarray]:
    columns = {f"clips/{name}": column for name, column in head.columns.items()}
    columns |= {f"problems/{name}": column for name, column in head.problem_columns.items()}
    return {name: columns[name] if name in columns else file.read(name) for name in TABLES}
