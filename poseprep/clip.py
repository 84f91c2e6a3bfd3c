"""One video's keypoints, and who and what it shows."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.skeleton import HOLISTIC, Skeleton

# Where a part of a frame came from; docs/format.md, "source".
MISSING, DETECTED, RECOVERED, INTERPOLATED, IMPORTED = range(5)


@dataclass(frozen=True, eq=False)
class Clip:
    """The keypoints of one video. Values are frozen; `dataclasses.replace` makes a new one.

    Attributes:
        key: the video's path below the folder that was given, with its ending and `/` between.
        points: (T, V, 3) in units of the frame height: x = column / height, y = row / height,
            z scaled as x is and with an origin of its own in each part. NaN exactly where
            the confidence is 0.
        confidence: (T, V) in 0..1.
        time: (T,) seconds from the start of the video, never falling.
        source: (T, P), where each part of each frame came from; P parts in the skeleton's order.
        width, height: frame size in pixels, upright; 0 where unknown.
        fps: nominal frames a second; 0 where unknown. `time` is what counts.
        sign, signer, split: empty where unknown.
        sha256: of the video file, hexadecimal; empty where there is none.
        file_bytes, file_modified: its size, and when it was written in nanoseconds since 1970; 0
            where unknown.

    Raises:
        ValueError: the arrays do not fit together, or points and confidence disagree about
            what is missing.
    """

    key: str
    points: Float[np.ndarray, "T V 3"]
    confidence: Float[np.ndarray, "T V"]
    time: Float[np.ndarray, " T"]
    source: UInt8[np.ndarray, "T P"]
    width: int
    height: int
    fps: float = 0.0
    sign: str = ""
    signer: str = ""
    split: str = ""
    sha256: str = ""
    file_bytes: int = 0
    file_modified: int = 0
    skeleton: Skeleton = field(default=HOLISTIC, repr=False)

    def __post_init__(self) -> None:
        frames, points = len(self.time), len(self.skeleton)
        expected = {
            "points": (frames, points, 3),
            "confidence": (frames, points),
            "time": (frames,),
            "source": (frames, len(self.skeleton.parts)),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                found = getattr(self, name).shape
                raise ValueError(f"{self.key}: {name} should be {shape}, found {found}")
        missing = np.isnan(self.points)
        if not (missing == (self.confidence == 0)[..., None]).all():
            raise ValueError(f"{self.key}: points must be NaN exactly where confidence is 0")
        if (np.diff(self.time) < 0).any() or not np.isfinite(self.time).all():
            raise ValueError(f"{self.key}: time must be finite and never fall")

    def part(self, name: str) -> Float[np.ndarray, "T Vp 3"]:
        """The points of one part, such as `left_hand`."""
        return self.points[:, self.skeleton.parts[name]]

    def found(self, part: str) -> np.ndarray:
        """(T,) bool: whether anything of a part was found in a frame."""
        return (self.confidence[:, self.skeleton.parts[part]] > 0).any(axis=1)

    @property
    def pixels(self) -> Float[np.ndarray, "T V 2"]:
        """Column and row in pixels of the upright frame; NaN where missing."""
        return self.points[..., :2] * self.height
