"""An encoder on disk explains itself: safetensors for the weights, JSON for all the rest.

Loading runs no code of the file's: a stranger's encoder is safe to open.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.options import check, from_dict
from poseprep.skeleton import Skeleton
from sslmodel.config import EncoderConfig, InputConfig
from sslmodel.encoder import Encoder, check_pooling
from sslmodel.graph import MOST_POINTS

FORMAT = 2

# What comes of reading a file by a form that it does not have.
DAMAGED = (
    *(KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError),
    InputError,
)


def save_encoder(
    folder: Path, encoder: Encoder, settings: InputConfig, about: Mapping[str, Any]
) -> None:
    """Write encoder.safetensors, then encoder.json; with the second the encoder is complete."""
    skeleton = encoder.skeleton
    weights = {name: value.contiguous().cpu() for name, value in encoder.state_dict().items()}
    write_whole(folder / "encoder.safetensors", save(weights))
    description = {
        "format": FORMAT,
        "what": "slr-toolkit encoder: (B, T, V, 2) keypoints and (B, T, V) seen -> (B, D)",
        "normalized_by": "poseprep.normalize; 1.0 is one shoulder width, 0 with seen 0 is missing",
        "features": encoder.config.features,
        "input": asdict(settings),
        "encoder": asdict(encoder.config),
        "skeleton": {
            "names": list(skeleton.names),
            "edges": np.asarray(skeleton.edges).tolist(),
            "mirror": np.asarray(skeleton.mirror).tolist(),
            "parts": {part: [s.start, s.stop] for part, s in skeleton.parts.items()},
        },
        "about": dict(about),
    }
    write_json(folder / "encoder.json", description)


def read_encoder(folder: Path) -> tuple[Encoder, InputConfig]:
    """The encoder of a run folder, in evaluation mode on the CPU, and what it wants as input.

    Raises:
        InputError: there is no encoder, it is half-written, or of another format.
    """
    path = folder / "encoder.json"
    if not path.is_file():
        raise InputError(
            f"{folder}: expected a finished run, found no encoder.json; the training was "
            "stopped before its end, or this is no run. Run `slr pretrain` again"
        )
    description = read_json(path)
    if description.get("format") != FORMAT:
        raise InputError(
            f"{path}: format {description.get('format')}, this version reads {FORMAT}; "
            "pretrain again, or install the slr-toolkit that wrote it"
        )
    try:
        skeleton = _skeleton(description["skeleton"])
        sizes = from_dict(EncoderConfig, description["encoder"])
        settings = from_dict(InputConfig, description["input"])
        check(sizes)
        check_pooling(sizes)
        check(settings)
        weights = load_file(folder / "encoder.safetensors")
        _check_weights(weights, skeleton, sizes)
        encoder = Encoder(skeleton, sizes)
        encoder.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError, *DAMAGED) as error:
        raise InputError(
            f"{folder}: the encoder is damaged ({' '.join(str(error).split())[:200]}); "
            "copy it again or run `slr pretrain` again"
        ) from error
    return encoder.eval(), settings


def _check_weights(weights: Mapping[str, Tensor], skeleton: Skeleton, sizes: EncoderConfig) -> None:
    """Raise ValueError where these are not the weights of such an encoder.

    Before it is made: what a stranger's file claims may be larger than the machine.
    """
    with torch.device("meta"):  # shapes alone
        expected = Encoder(skeleton, sizes).state_dict()
    for name, value in expected.items():
        if name not in weights or weights[name].shape != value.shape:
            found = tuple(weights[name].shape) if name in weights else "none"
            raise ValueError(f"{name}: expected shape {tuple(value.shape)}, found {found}")
        if not weights[name].isfinite().all():
            raise ValueError(f"{name}: holds values that are no finite numbers")


def _skeleton(values: Mapping[str, Any]) -> Skeleton:
    if len(values["names"]) > MOST_POINTS:
        raise ValueError(f"expected at most {MOST_POINTS} points, found {len(values['names'])}")
    skeleton = Skeleton(
        names=tuple(values["names"]),
        edges=np.array(values["edges"], dtype=np.intp).reshape(-1, 2),
        mirror=np.array(values["mirror"], dtype=np.intp),
        parts={part: slice(start, stop) for part, (start, stop) in values["parts"].items()},
    )
    if not skeleton.fits_together():
        raise ValueError("names, edges, mirror and parts of the skeleton do not fit together")
    return skeleton


def write_json(path: Path, value: Any) -> None:
    """Readable JSON, written whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    write_whole(path, (text + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; InputError where the file does not hold one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, found {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, found a {type(value).__name__}")
    return value
