"""MediaPipe's networks in torch, for a GPU: frames go there once, numbers come back.

Written for CUDA and tested on a CPU: tensors are pinned and sent without waiting, and nothing
waits for the device but the end of `look`. All batches have one size: sums of another size differ
in the last digits, and a frame's points must not depend on what is looked at beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
import torch.fx
from jaxtyping import Int, Shaped, UInt8
from torch import Tensor

from poseprep.errors import InputError
from poseprep.landmarkers.batched.crops import to_frame
from poseprep.landmarkers.batched.engine import CANDIDATES, DETECTORS, LENSES, Places
from poseprep.landmarkers.batched.models import Model
from poseprep.landmarkers.batched.network import Network, read_network
from poseprep.landmarkers.batched.torch_crops import Frames, cut, joined, to_levels, upload
from poseprep.landmarkers.batched.torch_heat_maps import refined
from poseprep.landmarkers.batched.torch_network import TorchNetwork

PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


class TorchEngine:
    """Networks run by torch, many crops at once.

    Args:
        models: what `read_models` gave.
        device: "cpu", "cuda", "cuda:1".
        precision: a name in `PRECISIONS`. float16 moves a point by some tenths of one of the 256
            cells of a crop, bfloat16 by some cells: MediaPipe's weights are stored in float16.
        batch: crops that run at once, always so many.
        compile: fuse operators and keep CUDA graphs. That is done here, and takes minutes: later
            it would look as if a video hung.

    Raises:
        InputError: one of the networks cannot be run.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        device: str | torch.device,
        precision: str = "float32",
        batch: int = 32,
        compile: bool = False,
    ):
        self._device, self._precision = torch.device(device), precision
        self._batch, self._compile = batch, compile
        self._networks: dict[str, Callable[[Tensor], list[Tensor]]] = {}
        self._nothing: dict[str, list[Tensor]] = {}
        for name, model in models.items():
            network = read_network(model.data, model.outputs, model.source)
            _check(network, model)
            module = TorchNetwork(network, PRECISIONS[precision]).to(self._device)
            self._networks[name] = _compiled(module, self._device) if compile else module
            shapes = [(0, *network.shapes[i][1:]) for i in network.outputs]
            nothing = [torch.zeros(shape, device=self._device) for shape in shapes]
            self._nothing[name] = _read(name, nothing)
        if compile:
            self._warm_up()

    def _warm_up(self) -> None:
        frames = self.load([np.zeros((8, 8, 3), np.uint8)])
        for name in self._networks:
            self.look(name, frames, np.zeros(1, np.int64), np.full((1, 5), 4, np.float32))

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Frames:
        return upload(frames, self._device)

    def join(self, loaded: Sequence[Frames]) -> Frames:
        return loaded[0] if len(loaded) == 1 else joined(loaded)

    @torch.inference_mode()
    def look(
        self, network: str, frames: Frames, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Shaped[np.ndarray, "K ..."]]:
        """See `engine.Engine`."""
        places = np.asarray(places, np.float32)
        found = [self._nothing[network]]
        for some, kept in batches(len(which), self._batch):
            outputs = self._outputs(network, frames, which[some], places[some])
            # A copy: the next run of a CUDA graph writes where this one did.
            found.append([x[:kept].clone() for x in outputs])
        return [torch.cat(rows).cpu().numpy() for rows in zip(*found, strict=True)]

    def _outputs(
        self, network: str, frames: Frames, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Tensor]:
        lens = LENSES[network]
        matrices = self._send(to_frame(places, lens.size))
        crops = to_levels(cut(frames, self._send(which.astype(np.int64)), matrices, lens), lens)
        if self._compile:
            torch.compiler.cudagraph_mark_step_begin()
        # Elsewhere torch may round what goes into convolutions on a GPU to 10 bits (TF32).
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return _read(network, self._networks[network](crops))

    def _send(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)


def batches(count: int, size: int) -> Iterator[tuple[Int[np.ndarray, " N"], int]]:
    """Numbers below `count` in batches of one size, and how many of each batch are meant.

    The last number fills the last batch up.
    """
    for start in range(0, count, size):
        yield np.arange(start, start + size).clip(max=count - 1), min(size, count - start)


def _read(network: str, outputs: list[Tensor]) -> list[Tensor]:
    if network in DETECTORS:
        boxes, scores = outputs[0], outputs[1][..., 0]
        scores, numbers = scores.topk(min(CANDIDATES, scores.shape[1]), dim=1)
        return [boxes.gather(1, numbers[..., None].expand(-1, -1, boxes.shape[2])), scores, numbers]
    if network != "pose_landmarks":
        return outputs
    points, presence, maps = outputs
    return [refined(points, maps, LENSES[network].size), presence]


def _check(network: Network, model: Model) -> None:
    """Whether the operators fit together, without running them."""
    size, shapes = LENSES[model.name].size, [network.shapes[i] for i in network.outputs]
    try:
        crop = torch.empty((1, size, size, 3), device="meta")
        found = [tuple(x.shape) for x in TorchNetwork(network).to("meta")(crop)]
    except InputError as error:
        raise InputError(f"{model.source}: {error}") from error
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{model.source}: expected a network whose operators fit together, found one whose do "
            f"not ({error}); give another bundle or none"
        ) from error
    if found != shapes:
        raise InputError(
            f"{model.source}: expected outputs of shapes {shapes}, found {found}; give another "
            "bundle or none"
        )


def _compiled(module: TorchNetwork, device: torch.device) -> Callable[[Tensor], list[Tensor]]:
    """Fused, with a CUDA graph for each size of a batch.

    Traced first: torch keeps a few compiled forms for each function, and all networks have one
    `forward`; traced, each has its own.
    """
    traced = torch.fx.symbolic_trace(module)
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(traced, mode=mode, dynamic=False, fullgraph=True)
