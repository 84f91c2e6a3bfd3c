"""What came of a video: its clips, and what could not be had of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClipHead:
    """What is known of a clip beside its frames; the fields are those of `Clip`.

    Attributes:
        pieces: how many the journal holds of it, numbered from 0.
        frames: of all of them together.
    """

    key: str
    pieces: int
    frames: int
    width: int
    height: int
    fps: float
    sha256: str
    file_bytes: int
    file_modified: int


@dataclass(frozen=True)
class Outcome:
    """What came of one video, whose clips may be several segments, and why something is missing.

    Attributes:
        video: the video's key.
        problems: clip key → reason. A clip that is there too was cut short.
        file_bytes, file_modified: of the file that was read; 0 where it could not be.
    """

    video: str
    clips: list[ClipHead] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    file_bytes: int = 0
    file_modified: int = 0
    when: str = ""
