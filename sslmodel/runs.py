"""Run folders: what lies in one, which is the newest, and which clips it learned from."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from poseprep.errors import InputError
from poseprep.version import toolkit_version
from sslmodel.checkpoint import read_json, write_json
from sslmodel.config import PretrainConfig, from_dict
from sslmodel.dataset import Dataset
from sslmodel.split import Split

_PACKAGES = ("torch", "torch-geometric", "lightning-fabric", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Run:
    """A finished run, read back. splits: the store's hash → (key → part, how it was made)."""

    folder: Path
    config: PretrainConfig
    stores: list[Path]
    splits: dict[str, dict[str, Any]]

    def split_of(self, dataset: Dataset) -> Split | None:
        """The run's own split of this store; None where the run did not learn from it."""
        entry = self.splits.get(dataset.content_hash)
        if entry is None:
            return None
        part = np.array([entry["parts"].get(key, "") for key in dataset.keys], object)
        return Split(part, entry["how"])


def write_run_head(
    folder: Path, config: PretrainConfig, datasets: Sequence[Dataset], splits: Sequence[Split]
) -> None:
    """config.json and split.json, before the first step: what a run was meant to be."""
    stores = [{"path": str(d.path.resolve()), "sha256": d.content_hash} for d in datasets]
    write_json(
        folder / "config.json",
        {"config": asdict(config), "stores": stores, "versions": versions()},
    )
    write_json(
        folder / "split.json",
        {
            dataset.content_hash: {
                "how": split.how,
                "parts": dict(zip(dataset.keys.tolist(), split.part.tolist(), strict=True)),
            }
            for dataset, split in zip(datasets, splits, strict=True)
        },
    )


def read_run(folder: Path) -> Run:
    """A finished run; InputError where the folder is none or is half-written."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}: expected a run (a folder), found none; `slr pretrain` makes one"
        )
    for name in ("config.json", "split.json", "encoder.json", "encoder.safetensors"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: expected a finished run, found no {name}; its training did not end, "
                "or this is no run. Run `slr pretrain` again"
            )
    head = read_json(folder / "config.json")
    try:
        config = from_dict(PretrainConfig, head["config"])
        stores = [Path(store["path"]) for store in head["stores"]]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder}/config.json: does not fit this version ({error}); pretrain again, or "
            f"install the versions it names: {head.get('versions')}"
        ) from error
    return Run(folder, config, stores, read_json(folder / "split.json"))


def find_newest_run(root: Path) -> Path:
    """The finished run below `root` whose encoder was written last."""
    runs = [path.parent for path in root.glob("*/encoder.json")]
    if not runs:
        raise InputError(f"{root}: no finished run in it; `slr pretrain STORE` makes one")
    return max(runs, key=lambda run: ((run / "encoder.json").stat().st_mtime_ns, run.name))


def new_run_folder(root: Path, name: str) -> Path:
    """A folder that is not there yet: name, name-2, name-3, … below `root`."""
    taken = {path.name for path in root.iterdir()} if root.is_dir() else set()
    tries = (name if i == 1 else f"{name}-{i}" for i in count(1))
    return root / next(folder for folder in tries if folder not in taken)


def run_and_store(paths: Sequence[Path], root: Path) -> tuple[Path, Path | None]:
    """Which of these paths is the run and which the store: what ends in .h5 is a store.

    Without a run it is the newest one below `root`; without a store, None: the run's own.

    Raises:
        InputError: several runs or several stores, or no run anywhere.
    """
    stores = [path for path in paths if path.suffix == ".h5"]
    runs = [path for path in paths if path.suffix != ".h5"]
    if len(stores) > 1 or len(runs) > 1:
        raise InputError(
            f"expected at most one run (a folder) and one store (.h5), found {len(runs)} runs and "
            f"{len(stores)} stores; probe them one after the other"
        )
    run = runs[0] if runs else find_newest_run(root)
    return run, stores[0] if stores else None


def versions() -> dict[str, str]:
    """What a score may depend on besides data and settings."""
    found = {name: version(name) for name in _PACKAGES}
    return {"slr-toolkit": toolkit_version(), "python": platform.python_version(), **found}
