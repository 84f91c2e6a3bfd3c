"""`slr export`: the encoder as ONNX, for programs without PyTorch (docs/export.md)."""

import hashlib
import json
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.version import toolkit_version
from sslmodel.checkpoint import read_encoder
from sslmodel.encoder import Encoder

INPUTS, OUTPUT = ("points", "seen"), "embedding"
LARGEST_DIFFERENCE = 1e-4
_TRIED_BATCHES = (1, 2, 5)


@dataclass(frozen=True)
class Exported:
    """What `export` wrote. difference: the largest between ONNX Runtime and PyTorch."""

    out: Path
    frames: int
    points: int
    features: int
    difference: float


def export(run: Path, out: Path, overwrite: bool = False) -> Exported:
    """Write a run's encoder as ONNX, once it says in ONNX Runtime what it says in PyTorch.

    Inputs `points` (B, T, V, 2) and `seen` (B, T, V), output `embedding` (B, D), all float32; B is
    free. The file's metadata name the points and how clips are normalised.

    Raises:
        InputError: no such run, the packages for ONNX are not installed, or `out` cannot be
            written, is there already, or ends in something else than .onnx.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: expected a name that ends in .onnx")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: already there; give --overwrite, or another place")
    encoder, settings = read_encoder(run)
    weights = (run / "encoder.safetensors").read_bytes()
    about = {
        "what": f"slr-toolkit encoder: {', '.join(INPUTS)} -> {OUTPUT}",
        "tool": f"slr-toolkit {toolkit_version()}",
        "encoder_sha256": hashlib.sha256(weights).hexdigest(),
        "points": json.dumps(list(encoder.skeleton.names)),
        "normalize": json.dumps(asdict(settings)),
        "unit": "1.0 is one shoulder width (hands alone: one palm); 0 with seen 0 is missing",
    }
    model = _converted(encoder, settings.frames, about)
    difference = _difference(encoder, settings.frames, model)
    if difference > LARGEST_DIFFERENCE:
        raise RuntimeError(f"{run}: ONNX Runtime differs from PyTorch by {difference:.2g}")
    try:
        write_whole(out, model)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error}); choose another place") from error
    size = len(encoder.skeleton)
    return Exported(out, settings.frames, size, encoder.config.features, difference)


def _converted(encoder: Encoder, frames: int, about: dict[str, str]) -> bytes:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"ONNX needs a package more ({error}): pip install 'slr-toolkit[onnx]'"
        ) from error
    # It says which packages of its own it does without.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about itself
        program = torch.onnx.export(
            encoder,
            _clips(encoder, frames, 2),
            dynamo=True,
            verbose=False,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=({0: batch}, {0: batch}),
        )
    assert program is not None  # it is, where no file was named
    model = program.model_proto
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


def _difference(encoder: Encoder, frames: int, model: bytes) -> float:
    """The largest difference in any feature, over batches of random clips with points missing."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in _TRIED_BATCHES:
        clips = _clips(encoder, frames, batch)
        given = {name: value.numpy() for name, value in zip(INPUTS, clips, strict=True)}
        with torch.no_grad():
            expected = encoder(*clips).numpy()
        worst = max(worst, float(np.abs(session.run(None, given)[0] - expected).max()))
    return worst


def _clips(encoder: Encoder, frames: int, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random clips, a fifth of their points missing, whole hands too."""
    generator = torch.Generator().manual_seed(batch)
    size = (batch, frames, len(encoder.skeleton))
    seen = (torch.rand(size, generator=generator) > 0.2).float()
    for where in encoder.skeleton.parts.values():
        seen[:, : frames // 4, where] = 0
    return torch.randn((*size, 2), generator=generator) * seen[..., None], seen
