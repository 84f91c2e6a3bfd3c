"""Other tables for a store: they are no part of the points, so nothing is extracted again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from poseprep.errors import InputError
from poseprep.files import Draft
from poseprep.journal import journal_path
from poseprep.labels import Label
from poseprep.stopping import stopping_waits
from poseprep.store import KeypointStore, Problem
from poseprep.store_layout import HEAD_ATTRIBUTES, PROBLEM_COLUMNS, one_line
from poseprep.store_tables import write_tables
from poseprep.store_writer import LIBVER


def relabel(path: str | Path, of: Mapping[str, Label]) -> None:
    """Give every clip of a store the sign, signer and split that `of` has for its key.

    Raises:
        InputError: there is no such store, or the copy cannot be written.
    """
    if journal_path(Path(path)).exists():
        raise InputError(
            f"{path}: an extraction to it is not finished and would undo this; run `slr extract` "
            "to its end first, or give it the table with --labels"
        )
    with KeypointStore(path) as store:
        columns = {name: column.tolist() for name, column in store.columns.items()}
        problems = store.problems
    for name in ("sign", "signer", "split"):
        columns[name] = [getattr(of[key], name) for key in columns["key"]]
    rewrite_tables(path, columns, problems, labels_from="table")


def rewrite_tables(
    path: str | Path,
    clips: Mapping[str, list[Any]],
    problems: list[Problem],
    labels_from: str = "",
) -> None:
    """Give a store other columns of /clips and /problems; the rows of /clips stay as many.

    A copy with the new tables takes the store's place at once; its points, and so its content
    hash, stay byte for byte what they were.

    Raises:
        InputError: there is no such store, or the copy cannot be written.
    """
    path = Path(path)
    KeypointStore(path).close()  # what is damaged must not get a new checksum
    rows = {name: [getattr(row, name) for row in problems] for name in PROBLEM_COLUMNS}
    try:
        with stopping_waits():
            draft = Draft(path)
            try:
                with h5py.File(path, "r") as old, h5py.File(draft, "w", libver=LIBVER) as new:
                    head = {name: old.attrs[name] for name in HEAD_ATTRIBUTES if name in old.attrs}
                    head["schema"] = int(head["schema"])  # what the digests of the points follow
                    if labels_from:
                        head["labels"] = labels_from
                    for group in ("skeleton", "frames"):
                        old.copy(group, new)
                    write_tables(new, head, clips, rows)
                draft.keep()
            finally:
                draft.discard()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: the new tables cannot be written ({one_line(error)}); make room for a copy "
            "of the store beside it"
        ) from error
