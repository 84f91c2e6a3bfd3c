"""Stretches of a video that become clips of their own."""

import math
from dataclasses import dataclass

# Times are told in thousandths of a second; a frame at 1.2 s belongs to what begins at 1.200.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Segment:
    """A clip of a video: the frames with start ≤ time < end, in seconds from its first frame.

    Attributes:
        key: the clip's key; `segment_key` makes it.
        end: infinite for "to the end of the video".
    """

    key: str
    start: float = 0.0
    end: float = math.inf

    @property
    def span(self) -> tuple[float, float]:
        return self.start, self.end

    def covers(self, time: float) -> bool:
        """Whether a frame at this time belongs to it."""
        return self.start - _TOLERANCE <= time < self.end - _TOLERANCE

    def over(self, time: float) -> bool:
        """Whether it has ended at this time."""
        return time >= self.end - _TOLERANCE


def segment_key(video_key: str, start: float, end: float) -> str:
    """`talk.mp4#1.200-2.840`, `talk.mp4#1.200-end`; all of a video has the video's own key."""
    if start == 0 and end == math.inf:
        return video_key
    last = "end" if end == math.inf else f"{end:.3f}"
    return f"{video_key}#{start:.3f}-{last}"
