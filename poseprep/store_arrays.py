"""Plain arrays with a name each, as one HDF5 file that any HDF5 library reads."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from poseprep.errors import InputError
from poseprep.files import Draft
from poseprep.stopping import stopping_waits
from poseprep.store_layout import TEXT, one_line


def write_arrays(
    path: Path,
    numbers: Mapping[str, np.ndarray],
    text: Mapping[str, np.ndarray],
    attributes: Mapping[str, str],
) -> None:
    """Write datasets of numbers and of text, and attributes of the root: all, or nothing.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with stopping_waits():
            draft = Draft(path)
            try:
                with h5py.File(draft, "w") as file:
                    for name, values in numbers.items():
                        file.create_dataset(name, data=values)
                    for name, values in text.items():
                        file.create_dataset(name, data=list(values), dtype=TEXT)
                    file.attrs.update(attributes)
                draft.keep()
            finally:
                draft.discard()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: cannot be written ({one_line(error)}); make room, or choose another place"
        ) from error
