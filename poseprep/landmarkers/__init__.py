"""What turns frames into keypoints. One file a landmarker; `LANDMARKERS` names them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.settings import ExtractOptions, ExtractSettings
from poseprep.skeleton import Skeleton


class Landmarks(NamedTuple):
    """One frame's keypoints; see `poseprep.clip.Clip` for units.

    Shapes: points (V, 3), confidence (V,), source (P,).
    """

    points: Float[np.ndarray, "V 3"]
    confidence: Float[np.ndarray, " V"]
    source: UInt8[np.ndarray, " P"]


class Track(Protocol):
    """Follows one video: frames go in, in order, and keypoints come out, in the same order.

    They may come later than their frame: a landmarker that works on several frames at once keeps
    them until it has enough. Frames must not change after they were handed over.
    """

    def add(self, frame: UInt8[np.ndarray, "H W 3"]) -> Sequence[Landmarks]:
        """Hand over the next frame, RGB; the keypoints that are ready now, maybe none."""
        ...

    def finish(self) -> Sequence[Landmarks]:
        """The keypoints of all frames that are still waited for, after the last one."""
        ...


class AtOnce:
    """A track that has every frame's keypoints at once."""

    def __init__(self, look: Callable[[np.ndarray], Landmarks]):
        self._look = look

    def add(self, frame: UInt8[np.ndarray, "H W 3"]) -> Sequence[Landmarks]:
        return (self._look(frame),)

    def finish(self) -> Sequence[Landmarks]:
        return ()


@runtime_checkable
class Landmarker(Protocol):
    """Frames in, keypoints out."""

    skeleton: Skeleton

    def tracker(self) -> AbstractContextManager[Track]:
        """What follows one video; it starts with no memory of another.

        Left without `finish`, it gives up what it has not looked at yet.
        """
        ...

    def shared(self) -> AbstractContextManager[str]:
        """What the worker processes of one machine share, while they work.

        Yields its address, for `poseprep.measure.make_landmarker` in each of them; empty where
        everyone has their own.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Name, version, models and settings, as they are written into a store."""
        ...


def follow(landmarker: Landmarker, frames: Iterable[np.ndarray]) -> Iterator[Landmarks]:
    """The keypoints of one video's frames, each (H, W, 3) uint8 RGB, in order."""
    with landmarker.tracker() as track:
        for frame in frames:
            yield from track.add(frame)
        yield from track.finish()


def _mediapipe(
    face: str = ExtractSettings.face, recover: bool = ExtractSettings.recover
) -> Landmarker:
    from poseprep.landmarkers.mediapipe import MediaPipeHolistic

    return MediaPipeHolistic(face, recover)


def _batched(
    face: str = ExtractSettings.face,
    recover: bool = ExtractSettings.recover,
    track: bool = ExtractSettings.track,
    smooth: bool = ExtractSettings.smooth,
    precision: str = ExtractSettings.precision,
    model: str = ExtractSettings.model,
    device: str = ExtractOptions.device,
    batch: int = ExtractOptions.batch,
    compile: bool = ExtractOptions.compile,
    shared: str = "",
    elsewhere: bool = False,
) -> Landmarker:
    from poseprep.landmarkers.batched.landmarker import BatchedHolistic

    return BatchedHolistic(
        face,
        recover,
        track=track,
        smooth=smooth,
        device=device,
        batch=batch,
        precision=precision,
        model=model,
        compile=compile,
        shared=shared,
        elsewhere=elsewhere,
    )


# Name → what makes it, from what `poseprep.settings.LANDMARKER_READS` says it reads.
LANDMARKERS: dict[str, Callable[..., Landmarker]] = {"mediapipe": _mediapipe, "batched": _batched}
