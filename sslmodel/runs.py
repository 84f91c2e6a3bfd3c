"""Run folders: what lies in one, which is the newest, and which clips it learned from."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from poseprep.errors import InputError
from poseprep.options import check, from_dict
from poseprep.settings import differences
from poseprep.version import toolkit_version
from sslmodel.checkpoint import DAMAGED, read_json, write_json
from sslmodel.config import PretrainConfig
from sslmodel.dataset import Dataset
from sslmodel.device import resolved_precision
from sslmodel.runlog import CURVE
from sslmodel.split import Split

_PACKAGES = (
    *("torch", "torch-geometric", "lightning-fabric", "safetensors"),
    *("numpy", "scipy", "scikit-learn", "h5py"),
)


@dataclass(frozen=True)
class Run:
    """A finished run, read back.

    Attributes:
        stores: where those that it learned from lay.
        splits: of each store by its hash: `how` it was split, and by key every clip's `parts`
            and `points_sha256`.
    """

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

    @property
    def train_signers(self) -> set[str]:
        """The names of those whom this run learned from, where known."""
        return {name for entry in self.splits.values() for name in entry.get("train_signers", ())}

    def parts_of(self, dataset: Dataset) -> np.ndarray:
        """(N,) text: the part that each clip had in this run, by what was measured in it.

        Empty for a clip that the run has not seen. A store to which clips were added, or that
        lies elsewhere, still knows what was learned from; where one of the run's own stores was
        extracted anew and the points are others, the key says it.
        """
        known: dict[str, str] = {}
        by_key = dataset.path.resolve() in self.stores
        for entry in self.splits.values():
            for key, part in entry["parts"].items():
                for name in [entry["points_sha256"][key], *([key] if by_key else [])]:
                    # A clip that lies there twice was learned from if either was.
                    known[name] = "train" if known.get(name) == "train" else part
        rows = zip(dataset.digests, dataset.keys, strict=True)
        return np.array([known.get(digest) or known.get(key, "") for digest, key in rows], object)


def write_run_head(
    folder: Path,
    config: PretrainConfig,
    datasets: Sequence[Dataset],
    splits: Sequence[Split],
    device: torch.device,
) -> None:
    """split.json and config.json, before the first step: what a run was meant to be.

    config.json comes last: a run that has it can be gone on with.
    """
    (folder / "config.json").unlink(missing_ok=True)
    write_json(
        folder / "split.json",
        {
            dataset.content_hash: {
                "how": split.how,
                "parts": parts_by_key(dataset, split),
                "points_sha256": dict(zip(dataset.keys, dataset.digests, strict=True)),
                "train_signers": sorted(set(dataset.signers[split.part == "train"]) - {""}),
            }
            for dataset, split in zip(datasets, splits, strict=True)
        },
    )
    stores = [
        {"path": str(d.path.resolve()), "sha256": d.content_hash, "landmarker": d.landmarker}
        for d in datasets
    ]
    write_json(
        folder / "config.json",
        {
            "config": asdict(config),
            "stores": stores,
            "device": str(device),
            "precision": resolved_precision(config.accelerator, config.precision),
            "threads": torch.get_num_threads(),
            "versions": versions(),
        },
    )


def parts_by_key(dataset: Dataset, split: Split) -> dict[str, str]:
    """Every clip's part, as split.json has it."""
    return dict(zip(dataset.keys, split.part, strict=True))


# What a run may be gone on with differently: where it is computed, not what. Of the precision
# counts what it came to.
_ELSEWHERE = ("accelerator", "devices", "nodes", "compile", "stop_on_collapse", "precision")


def check_same_run(
    folder: Path, config: PretrainConfig, datasets: Sequence[Dataset], splits: Sequence[Split]
) -> list[str]:
    """Raise InputError where a folder holds no unfinished run of this config, stores and split.

    Returns:
        What is otherwise than it was, and must be told.
    """
    begun, stores = read_unfinished(folder)
    there, now = ({**asdict(one), **dict.fromkeys(_ELSEWHERE)} for one in (begun, config))
    found = differences(there, now)
    if found:
        raise InputError(
            f"{folder}: was begun with other settings (there → now): {'; '.join(found[:5])}. Give "
            "the same, or begin anew in another folder (`--out`)"
        )
    head = read_json(folder / "config.json")
    precision = resolved_precision(config.accelerator, config.precision)
    if head.get("precision", precision) != precision:
        raise InputError(
            f"{folder}: was begun with precision {head['precision']}, and would go on with "
            f"{precision}; give `--precision {head['precision']}`"
        )
    hashes = [store.get("sha256") for store in head["stores"]]
    found_hashes = [dataset.content_hash for dataset in datasets]
    if found_hashes != hashes:
        others = [str(d.path) for d in datasets if d.content_hash not in hashes]
        what = (
            f"changed since, or other stores: {', '.join(others)}"
            if others
            else f"given now: {', '.join(str(d.path) for d in datasets)}"
        )
        raise InputError(
            f"{folder}: learned from {', '.join(map(str, stores))}; {what}. Give these as they "
            "were and in this order, or begin anew in another folder (`--out`)"
        )
    learned = read_json(folder / "split.json")
    for dataset, split in zip(datasets, splits, strict=True):
        entry = learned.get(dataset.content_hash)
        if not isinstance(entry, dict) or entry.get("parts") != parts_by_key(dataset, split):
            raise InputError(
                f"{folder}: its labels gave {dataset.path} another split when it was begun; label "
                "the store as it was, or begin anew in another folder (`--out`)"
            )
    threads = torch.get_num_threads()
    if str(head.get("device")) != "cpu" or head.get("threads", threads) == threads:
        return []
    return [
        f"{folder}: was begun with {head['threads']} threads and goes on with {threads}: the "
        "weights will differ in their last bits from those of a run that was not stopped"
    ]


def read_unfinished(folder: Path) -> tuple[PretrainConfig, tuple[Path, ...]]:
    """The config of a run that did not come to its end, and the stores that it learns from.

    Raises:
        InputError: the folder holds no such run.
    """
    if (folder / "encoder.json").exists():
        raise InputError(f"{folder}: has come to its end already; `slr probe {folder}` scores it")
    if not is_unfinished_run(folder) or not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: expected an unfinished run to go on with, found none, or one that was "
            "stopped before it began; the same command without `--resume` begins one"
        )
    head = read_json(folder / "config.json")
    try:
        config = from_dict(PretrainConfig, head["config"])
        check(config)
        return config, tuple(Path(store["path"]) for store in head["stores"])
    except DAMAGED as error:
        raise InputError(
            f"{folder}: config.json is damaged, or of another version ({error}); begin anew in "
            "another folder (`--out`)"
        ) from error


def find_unfinished_run(root: Path) -> Path:
    """The run below `root` that was begun last and did not end; InputError where there is none."""
    begun = [path.parent for path in root.glob("*/config.json")]
    found = [path for path in begun if is_unfinished_run(path)]
    if not found:
        raise InputError(f"{root}: no unfinished run to go on with; name it with `--out`")
    return max(found, key=lambda path: (path / "config.json").stat().st_mtime)


def read_run(folder: Path) -> Run:
    """A finished run; InputError where the folder is none, is half-written or damaged."""
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
    head, splits = read_json(folder / "config.json"), read_json(folder / "split.json")
    try:
        config = from_dict(PretrainConfig, head["config"])
        check(config)
        stores = {store["sha256"]: Path(store["path"]) for store in head["stores"]}
        if not stores or not all(_is_split(splits[sha256]) for sha256 in stores):
            raise ValueError("expected every store's split, found less")
    except DAMAGED as error:
        raise InputError(
            f"{folder}: config.json or split.json is damaged, or of another version ({error}); "
            f"pretrain again, or install the versions it names: {head.get('versions')}"
        ) from error
    return Run(folder, config, list(stores.values()), {sha256: splits[sha256] for sha256 in stores})


def has_collapsed(folder: Path) -> bool:
    """Whether a finished run's embedding had collapsed at its end."""
    path = folder / "encoder.json"
    try:
        return bool(read_json(path)["about"]["collapsed"])
    except DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or of another version ({error!r}); remove the folder, and train anew"
        ) from error


def trained_on(folder: Path) -> str:
    """The kind of device that a run was trained on and in which precision; empty if not known."""
    head = read_json(folder / "config.json")
    device, precision = (str(head.get(name, "")) for name in ("device", "precision"))
    if not device or not precision:
        return ""
    return f"{device.partition(':')[0]} in {'float32' if precision == '32' else precision}"


def _is_split(entry: Any) -> bool:
    """Whether this is one store's entry in split.json."""
    return (
        isinstance(entry["how"], str)
        and all(isinstance(part, str) for part in entry["parts"].values())
        and entry["parts"].keys() == entry["points_sha256"].keys()
        and all(isinstance(name, str) for name in entry.get("train_signers", ()))
    )


def is_unfinished_run(folder: Path) -> bool:
    """Whether a training began in this folder and did not come to its end.

    One that was killed before it wrote config.json has an empty log.
    """
    if (folder / "encoder.json").exists() or not (folder / "log.jsonl").is_file():
        return False
    if not (folder / "config.json").exists():
        others = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        begun = {"log.jsonl", "tb", "split.json", "checkpoints", CURVE}
        return others <= begun and not (folder / "log.jsonl").stat().st_size
    try:
        return {"config", "stores", "versions"} <= read_json(folder / "config.json").keys()
    except InputError:
        return False


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


def runs_and_stores(paths: Sequence[Path], root: Path) -> tuple[list[Path], list[Path]]:
    """Which of these paths are runs and which stores: what ends in .h5 is a store.

    Without a run it is the newest one below `root`; without a store, none: each run's own.
    """
    stores = [path for path in paths if path.suffix == ".h5"]
    runs = [path for path in paths if path.suffix != ".h5"]
    return runs or [find_newest_run(root)], stores


def versions() -> dict[str, str]:
    """What a score may depend on besides data and settings."""
    found = {name: version(name) for name in _PACKAGES}
    return {"slr-toolkit": toolkit_version(), "python": platform.python_version(), **found}
