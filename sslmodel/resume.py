"""Training state on disk: what a killed run goes on from. Safetensors and JSON, no pickle."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from poseprep.errors import InputError
from poseprep.files import write_whole
from sslmodel.checkpoint import DAMAGED
from sslmodel.runlog import Record

FORMAT = "1"
FOLDER = "checkpoints"
# The one before the last is kept, should the last be damaged.
_KEPT = 2


def save_state(
    run: Path,
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    records: Sequence[Record],
) -> None:
    """Write RUN/checkpoints/epoch-<n>.safetensors, at once; older ones but one are removed.

    It holds every weight and buffer, the optimiser's moments, and the log so far: the epoch is
    that of the last record. Random numbers need no state (sslmodel/chance.py).

    Raises:
        OSError: it cannot be written.
    """
    tensors = {f"learner.{name}": value for name, value in learner.state_dict().items()}
    for i, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": value for name, value in moments.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    about = {
        "format": FORMAT,
        "what": "slr-toolkit training state",
        "records": json.dumps([asdict(record) for record in records]),
    }
    about["sha256"] = _digest(tensors, about["records"])
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"epoch-{records[-1].epoch:06d}.safetensors", save(tensors, about))
    for old in [*_checkpoints(run)[_KEPT:], *_drafts(run)]:
        old.unlink(missing_ok=True)


def load_state(
    run: Path, learner: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[list[Record], list[str]]:
    """Put the newest checkpoint that is whole into learner and optimizer.

    Returns:
        The log up to it (nothing where there is no checkpoint yet), and what to tell of damaged
        ones.

    Raises:
        InputError: there are checkpoints, and none can be read.
    """
    told: list[str] = []
    found = _checkpoints(run)
    for path in found:
        try:
            tensors, records = _read(path)
            _put(tensors, learner, optimizer)
        except (OSError, SafetensorError, RuntimeError, *DAMAGED) as error:
            told.append(f"{path}: damaged, and passed over ({' '.join(str(error).split())[:120]})")
            continue
        for damaged in found[: found.index(path)]:
            damaged.unlink(missing_ok=True)  # else it would count as one of those kept
        return records, told
    if found:
        raise InputError(
            f"{run}: none of its checkpoints can be read: {'; '.join(told)}. Remove the folder, "
            "and train anew"
        )
    return [], told


def has_states(run: Path) -> bool:
    """Whether there are checkpoints, whole or damaged."""
    return bool(_checkpoints(run))


def _checkpoints(run: Path) -> list[Path]:
    """The newest first."""
    return sorted((run / FOLDER).glob("epoch-*.safetensors"), reverse=True)


def _drafts(run: Path) -> list[Path]:
    """What was half-written when a training was killed; nobody else writes there."""
    return list((run / FOLDER).glob(".epoch-*.tmp"))


def _read(path: Path) -> tuple[dict[str, Tensor], list[Record]]:
    with safe_open(path, framework="pt") as file:
        about: dict[str, Any] = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if about.get("format") != FORMAT:
        raise ValueError(f"format {about.get('format')}, expected {FORMAT}")
    if about["sha256"] != _digest(tensors, about["records"]):
        raise ValueError("its checksum is another")
    return tensors, [Record(**values) for values in json.loads(about["records"])]


def _put(tensors: dict[str, Tensor], learner: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    weights: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, rest = name.partition(".")
        if group == "learner":
            weights[rest] = value
        else:
            number, _, moment = rest.partition(".")
            moments.setdefault(int(number), {})[moment] = value
    learner.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def _digest(tensors: dict[str, Tensor], records: str) -> str:
    digest = hashlib.sha256(records.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
