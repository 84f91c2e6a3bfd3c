"""Everything in an HDF5 file, also what a store's reader has no need of: can it be read?"""

from pathlib import Path

import h5py

from poseprep.store_layout import one_line

_BLOCK_BYTES = 2**20
# What damage makes HDF5 and h5py raise.
_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, KeyError)


def unreadable(path: Path, known: frozenset[str]) -> list[str]:
    """What of a file cannot be read: attributes, datasets but the known ones, the ways to them."""
    found: list[str] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        try:
            for attribute in item.attrs:
                item.attrs[attribute]
            if isinstance(item, h5py.Dataset) and name not in known:
                _read(item)
        except _DAMAGE as error:
            found.append(f"/{name} is damaged and cannot be read ({one_line(error)})")

    with h5py.File(path, "r") as file:
        visit("", file)
        try:
            file.visititems(visit)
        except _DAMAGE as error:
            found.append(f"the file's structure is damaged ({one_line(error)})")
    return found


def _read(dataset: h5py.Dataset) -> None:
    """Read all of a dataset that holds its own values; what it says is of no interest."""
    if dataset.external or dataset.is_virtual or dataset.shape is None:
        return
    if dataset.shape == () or not len(dataset):
        dataset[()]
        return
    rows = max(1, _BLOCK_BYTES * len(dataset) // max(1, dataset.nbytes))
    for first in range(0, len(dataset), rows):
        dataset[first : first + rows]
