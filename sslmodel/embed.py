"""Embeddings for others to use: of a clip in two lines of Python, or of a store as a file."""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.store_arrays import write_arrays
from poseprep.version import toolkit_version
from sslmodel.checkpoint import read_encoder
from sslmodel.config import InputConfig
from sslmodel.dataset import load, normalized_clip
from sslmodel.device import fabric_on
from sslmodel.encoder import Encoder
from sslmodel.features import encode, mean_over_windows


@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """An encoder that takes clips as a store holds them.

        encoder = load_encoder("runs/demo-sl-vicreg")
        embedding = encoder(clip)  # (D,) float32

    Attributes:
        encoder: (B, T, V, 2) points and (B, T, V) seen → (B, D); in evaluation mode, on the CPU.
        settings: how a clip is normalised for it.
    """

    encoder: Encoder
    settings: InputConfig

    def __call__(self, clips: Clip | Iterable[Clip]) -> Float[np.ndarray, "*N D"]:
        """(D,) of one clip, (N, D) of several.

        Points match by name; those that a clip's skeleton lacks count as unseen.

        Raises:
            InputError: a clip has none of the points that the encoder reads.
        """
        if isinstance(clips, Clip):
            return self._one(clips)
        found = [self._one(clip) for clip in clips]
        return np.stack(found) if found else np.zeros((0, self.encoder.config.features), np.float32)

    @torch.no_grad()
    def _one(self, clip: Clip) -> Float[np.ndarray, " D"]:
        points, seen = normalized_clip(clip, self.encoder.skeleton, self.settings)
        windows = self.encoder(points, seen).numpy()
        shown = seen.flatten(1).any(dim=1).numpy()
        return mean_over_windows(windows, np.zeros(len(windows), int), shown, 1)[0]


def load_encoder(run: str | Path) -> ClipEncoder:
    """The encoder of a run folder.

    Raises:
        InputError: no such run, half-written, damaged or of another format.
    """
    encoder, settings = read_encoder(Path(run))
    return ClipEncoder(encoder, settings)


@dataclass(frozen=True)
class Embedded:
    """What `embed` wrote. without_person: clips that show nobody; missing: points unseen."""

    out: Path
    clips: int
    features: int
    without_person: int
    missing: tuple[str, ...]


def embed(
    run: Path, store: Path, out: Path, overwrite: bool = False, accelerator: str = "auto"
) -> Embedded:
    """Write one embedding a clip, with the clips' keys and labels, as HDF5 (.h5) or NumPy (.npz).

    Both hold `embeddings` (N, D) float32, `person` (N,), 0 where a clip shows nobody, `key`,
    `sign`, `signer`, `split` (N,) text, and as
    attributes (.h5) or arrays of no axis (.npz): `run`, `encoder_sha256`, `store_sha256`, `tool`.

    Raises:
        InputError: no such run or store, no point in common, or `out` cannot be written, is there
            already, or ends in something else.
    """
    if out.suffix not in (".h5", ".npz"):
        raise InputError(f"{out}: expected a name that ends in .h5 or .npz")
    if out.resolve() == store.resolve():
        raise InputError(f"{out}: is the store itself; give another name for the embeddings")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: already there; give --overwrite, or another place")
    encoder, settings = read_encoder(run)
    dataset = load(store, encoder.skeleton, settings)
    embeddings = encode(encoder, dataset, fabric_on(accelerator).device).astype(np.float32)
    weights = (run / "encoder.safetensors").read_bytes()
    arrays: dict[str, np.ndarray] = {
        "embeddings": embeddings,
        "person": dataset.person.astype(np.uint8),
    }
    text = {
        "key": dataset.keys,
        "sign": dataset.signs,
        "signer": dataset.signers,
        "split": dataset.splits,
    }
    about = {
        "run": run.name,
        "encoder_sha256": hashlib.sha256(weights).hexdigest(),
        "store_sha256": dataset.content_hash,
        "tool": f"slr-toolkit {toolkit_version()}",
    }
    if out.suffix == ".h5":
        write_arrays(out, arrays, text, about)
    else:
        columns = {name: np.array(values, dtype=str) for name, values in text.items()}
        said = {name: np.array(value) for name, value in about.items()}
        packed = io.BytesIO()
        np.savez(packed, **arrays, **columns, **said)
        write_whole(out, packed.getvalue())
    without = int((~dataset.person).sum())
    return Embedded(out, len(dataset), embeddings.shape[1], without, dataset.missing)
