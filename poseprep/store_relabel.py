"""Other labels for a store: they are no part of the points, so nothing is extracted again."""

from collections.abc import Mapping
from pathlib import Path

import h5py

from poseprep.errors import InputError
from poseprep.files import Draft
from poseprep.labels import Label
from poseprep.stopping import stopping_waits
from poseprep.store import KeypointStore
from poseprep.store_layout import CLIP_COLUMNS, one_line
from poseprep.store_writer import write_table


def relabel(path: str | Path, of: Mapping[str, Label]) -> None:
    """Give every clip of a store the sign, signer and split that `of` has for its key.

    A copy with the new labels takes the store's place at once; its points, and so its content
    hash, stay byte for byte what they were.

    Raises:
        InputError: there is no such store, or the copy cannot be written.
    """
    path = Path(path)
    with KeypointStore(path) as store:
        columns = {name: column.tolist() for name, column in store.columns.items()}
    for name in ("sign", "signer", "split"):
        columns[name] = [getattr(of[key], name) for key in columns["key"]]
    try:
        with stopping_waits():
            draft = Draft(path)
            try:
                with h5py.File(path, "r") as old, h5py.File(draft, "w") as new:
                    new.attrs.update(old.attrs)
                    for group in ("skeleton", "frames", "problems"):
                        old.copy(group, new)
                    write_table(new, "clips", CLIP_COLUMNS, columns)
                draft.keep()
            finally:
                draft.discard()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: the new labels cannot be written ({one_line(error)}); make room for a copy "
            "of the store beside it"
        ) from error
