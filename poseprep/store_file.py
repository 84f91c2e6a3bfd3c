"""An HDF5 file that a stranger may have made, or a disk have damaged: read with care."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from poseprep.errors import InputError
from poseprep.store_layout import TEXT, one_line

# Large reads go in stretches of so many frames, which stay in the processor's cache.
_READ_FRAMES = 4096
# Of each dataset: the chunks that clips lie in, so that reading clip by clip reads them once.
_CACHE_BYTES = 2**20


class StoreFile:
    """Reads only what lies in this very file, and says it where the file is damaged.

    Raises:
        InputError: there is no such file, or it is not HDF5.
    """

    def __init__(self, path: Path):
        self.path = path
        self._datasets: dict[str, h5py.Dataset] = {}
        if path.is_dir():
            raise InputError(
                f"{path}: expected a keypoint store, a file ending in .h5; this is a folder"
            )
        if not path.is_file():
            raise InputError(
                f"{path}: expected a keypoint store, found no such file; "
                "make one with `slr extract VIDEOS OUT.h5`"
            )
        try:
            self._file = h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES)
        except OSError as error:
            raise InputError(
                f"{path}: expected a keypoint store (HDF5), found something that does not open "
                f"as one ({one_line(error)}); make it again with `slr extract VIDEOS {path}`"
            ) from error

    @property
    def attrs(self) -> h5py.AttributeManager:
        return self._file.attrs

    def close(self) -> None:
        self._datasets.clear()
        self._file.close()

    def _object(self, name: str) -> h5py.Group | h5py.Dataset:
        """What lies in this very file: a store from a stranger must not read other files."""
        found = self._file
        for step in name.split("/"):
            link = found.get(step, getlink=True) if isinstance(found, h5py.Group) else None
            if not isinstance(link, h5py.HardLink):
                raise KeyError(f"/{name} is missing or lies in another file")
            found = found[step]
        return found

    def group(self, name: str) -> h5py.Group:
        found = self._object(name)
        if not isinstance(found, h5py.Group):
            raise KeyError(f"/{name} is no group")
        return found

    def dataset(self, name: str) -> h5py.Dataset:
        """A dataset that holds its own values. It stays open, so that its cache is kept."""
        if name not in self._datasets:
            found = self._object(name)
            if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
                raise KeyError(f"/{name} is not a plain dataset")
            self._datasets[name] = found
        return self._datasets[name]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows of a dataset; text as str."""
        try:
            dataset = self.dataset(name)
            text = h5py.check_string_dtype(dataset.dtype) is not None
            return (dataset.asstr() if text else dataset)[start:stop]
        except (OSError, RuntimeError) as error:
            raise self._damaged(name, error) from error

    def chunk_frames(self, name: str) -> int:
        """How many rows of a dataset are damaged together: those of a chunk."""
        dataset = self.dataset(name)
        return dataset.chunks[0] if dataset.chunks else max(1, len(dataset))

    def read_points(
        self,
        name: str,
        start: int,
        stop: int,
        columns: np.ndarray | slice = slice(None),
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Rows of some points of a dataset (F, Vp, 3), into `out` if given, chunk by chunk."""
        dataset = self.dataset(name)
        if out is None:
            width = len(np.arange(dataset.shape[1])[columns])
            out = np.empty((stop - start, width, dataset.shape[2]), dataset.dtype)
        # One coordinate at a time, if they are chunked so: many times faster.
        by_axis = dataset.chunks is not None and dataset.chunks[2] == 1
        try:
            for first in range(start, stop, _READ_FRAMES):
                last = min(first + _READ_FRAMES, stop)
                rows = out[first - start : last - start]
                if not by_axis:
                    rows[:] = dataset[first:last][:, columns]
                    continue
                for axis in range(dataset.shape[2]):
                    rows[:, :, axis] = dataset[first:last, :, axis][:, columns]
        except (OSError, RuntimeError) as error:
            raise self._damaged(name, error) from error
        return out

    def _damaged(self, name: str, error: Exception) -> InputError:
        return InputError(
            f"{self.path}: damaged, /{name} cannot be read ({one_line(error)}); "
            "take it from a copy, or make it again with `slr extract`"
        )

    def table(self, name: str, dtypes: dict[str, Any]) -> dict[str, np.ndarray]:
        """Columns of equal length and of these types."""
        columns = {}
        for column, dtype in dtypes.items():
            dataset = self.dataset(f"{name}/{column}")
            text = h5py.check_string_dtype(dataset.dtype) is not None
            expected = "text" if dtype is TEXT else np.dtype(dtype).name
            if (text and dtype is not TEXT) or (not text and dataset.dtype != dtype):
                raise ValueError(f"/{name}/{column} should be {expected}, found {dataset.dtype}")
            columns[column] = self.read(f"{name}/{column}")
        shapes = {values.shape for values in columns.values()}
        if len(shapes) != 1 or len(shapes.pop()) != 1:
            raise ValueError(f"the columns of /{name} differ in length")
        return columns


def json_object(attrs: h5py.AttributeManager, name: str) -> dict[str, Any]:
    """An attribute that holds a JSON object."""
    try:
        value = json.loads(attrs[name])
    except RecursionError as error:
        raise ValueError(f"the attribute {name} is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"the attribute {name} is no JSON object")
    return value


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as every store does."""
    with open(path, "rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"
