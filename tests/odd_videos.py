"""Videos such as people have: every odd one that a run of days may meet.

`ODD[name].make(path)` writes one; the rest of the entry says what must come of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from odd_making import (
    FRAMES,
    SIZE,
    changed,
    counted,
    first,
    image,
    joined,
    scratched,
    turned,
    write,
    write_only_sound,
    zipped,
)


@dataclass(frozen=True)
class OddVideo:
    """How to make it, and what reading it gives.

    Attributes:
        frames: the fewest and the most: what damage leaves is the decoder's.
        step: seconds between frames; 0 where `times` says them, or damage hides them.
        corner: of the picture, that is bright: row and column, 0 first, -1 last.
        reason: a part of what is told; empty where nothing is amiss.
    """

    ending: str
    make: Callable[[Path], None]
    frames: tuple[int, int] = (FRAMES, FRAMES)
    step: float = 1 / 25
    times: Sequence[float] = ()
    size: tuple[int, int] = SIZE
    corner: tuple[int, int] = (0, 0)
    reason: str = ""


def containing(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def nothing(ending: str, make: Callable[[Path], None], reason: str) -> OddVideo:
    return OddVideo(ending, make, (0, 0), reason=reason)


UNKNOWN = "not a video: its first bytes are of no known kind"
CLOSED = "not a video that can be opened: damaged, or without a picture"

NO_VIDEOS = {
    "empty": nothing("mp4", containing(b""), "the file is empty"),
    "text": nothing("mp4", containing(b"this is text, not a video\n" * 50), UNKNOWN),
    "pdf": nothing("mp4", containing(b"%PDF-1.4\n" + bytes(500)), UNKNOWN),
    "wav": nothing("avi", containing(b"RIFF\xf0\1\0\0WAVEfmt " + bytes(500)), UNKNOWN),
    "only zeros": nothing("mp4", containing(bytes(5000)), UNKNOWN),
    "only a head": nothing("mp4", containing(b"\0\0\0\x18ftypmp42" + bytes(500)), CLOSED),
    "zip": nothing("mp4", zipped, UNKNOWN),
    "jpeg": nothing("mp4", partial(image, codec="mjpeg"), UNKNOWN),
    "png": nothing("mp4", partial(image, codec="png"), UNKNOWN),
    "only sound": nothing("mp4", partial(write_only_sound, codec="aac"), CLOSED),
    "only sound, webm": nothing("webm", partial(write_only_sound, codec="libopus"), CLOSED),
    "only sound, ogg": nothing("ogv", partial(write_only_sound, codec="libopus"), CLOSED),
    "av1": nothing("mp4", partial(write, codec="libsvtav1", frames=3), "coded as AV1"),
}

LONG = {"frames": 60, "size": (96, 80), "g": "12", "b": "1000000"}


def cut(ending: str, codec: str, reason: str, share: float = 0.6, **options: str) -> OddVideo:
    make = partial(changed, change=first(share), codec=codec, **LONG, **options)
    return OddVideo(ending, make, (5, 50), step=0, size=(96, 80), reason=reason)


def scratch(ending: str, codec: str, reason: str) -> OddVideo:
    make = partial(changed, change=scratched, codec=codec, **LONG)
    return OddVideo(ending, make, (5, 59), step=0, size=(96, 80), reason=reason)


EARLY = "cut short: the file ends"
LOST = partial(changed, change=first(0.6), codec="libx264", **LONG)
DAMAGED = {
    "cut mp4": nothing("mp4", LOST, "bytes too early"),
    "cut mp4, index first": cut("mp4", "libx264", EARLY, movflags="faststart"),
    "cut mov, index first": cut("mov", "mpeg4", EARLY, movflags="faststart"),
    "cut mp4 in fragments": cut(
        "mp4", "libx264", EARLY, movflags="frag_keyframe+empty_moov+default_base_moof"
    ),
    "cut mkv": cut("mkv", "libx264", EARLY),
    "cut webm": cut("webm", "libvpx", EARLY),
    "cut avi": cut("avi", "mpeg4", EARLY),
    "cut wmv": cut("wmv", "wmv2", EARLY),
    "cut flv": cut("flv", "libx264", "could be read"),
    "cut ts": cut("ts", "libx264", ""),  # has no header that could promise more
    "scratched mp4": scratch("mp4", "mpeg4", "could not be decoded"),
    "scratched avi": scratch("avi", "mpeg4", "cut short: the header promises 60 frames"),
    "scratched mkv": scratch("mkv", "libx264", ""),
    "scratched ts": scratch("ts", "libx264", ""),
}


def counts(frames: int, reason: str = "") -> OddVideo:
    return OddVideo("avi", partial(changed, change=counted(frames)), reason=reason)


UNEVEN = (0, 40, 60, 200, 240, 1000, 1040, 1080, 1090, 1500, 3000, 3001)


def uneven(ending: str, codec: str) -> OddVideo:
    make = partial(write, codec=codec, stamps=UNEVEN)
    return OddVideo(ending, make, step=0, times=[stamp / 1000 for stamp in UNEVEN])


LATE = [500 + 40 * i for i in range(FRAMES)]
TIMES = {
    "one frame, mp4": OddVideo("mp4", partial(write, frames=1), (1, 1)),
    "one frame, ts": OddVideo("ts", partial(write, codec="libx264", frames=1), (1, 1)),
    "one frame, webm": OddVideo("webm", partial(write, codec="libvpx", frames=1), (1, 1)),
    "uneven mp4": uneven("mp4", "libx264"),
    "uneven mkv": uneven("mkv", "libx264"),
    "uneven webm": uneven("webm", "libvpx"),
    "uneven ts": uneven("ts", "libx264"),
    "begins late, mp4": OddVideo("mp4", partial(write, codec="libx264", stamps=LATE)),
    "begins late, mkv": OddVideo("mkv", partial(write, codec="libx264", stamps=LATE)),
    # What `ffmpeg -ss -c copy` makes: the first 20 frames are there to be decoded, not shown.
    "edit list": OddVideo("mp4", partial(write, codec="libx264", frames=32, moved=-20, g="99")),
    "edit list, mov": OddVideo("mov", partial(write, frames=32, moved=-20, g="99")),
    "b-frames": OddVideo("mp4", partial(write, codec="libx264", bf="3")),
    "b-frames, avi": OddVideo("avi", partial(write, bf="2")),
    "b-frames, wmv": OddVideo("wmv", partial(write, bf="2", frames=40), (40, 40)),
    "live webm": OddVideo("webm", partial(write, codec="libvpx", live="1")),
    "1000 frames a second": OddVideo("mp4", partial(write, fps=1000), step=1 / 1000),
    "1 frame a second": OddVideo("mp4", partial(write, fps=1), step=1),
    "counts too many": counts(500, "cut short: the header promises 500 frames"),
    "counts too few": counts(3),
    "counts none": counts(0),
    "counts less than none": counts(-5),
}


def coded(ending: str, codec: str, pixels: str = "yuv420p", **how: object) -> OddVideo:
    size = how.get("size", SIZE)
    return OddVideo(ending, partial(write, codec=codec, pixels=pixels, **how), size=size)


def turn(degrees: int, size: tuple[int, int], corner: tuple[int, int]) -> OddVideo:
    return OddVideo("mp4", partial(changed, change=turned(degrees)), size=size, corner=corner)


def resized(*sizes: tuple[int, int], ending: str = "ts", codec: str = "libx264") -> OddVideo:
    (w, h), (w2, h2) = sizes[:2]
    reason = f"the picture changes from {w}×{h} to {w2}×{h2} after 12 frames"
    make = partial(joined, codec=codec, sizes=sizes)
    return OddVideo(ending, make, size=(w, h), reason=reason)


PICTURES = {
    "turned 90": turn(90, (48, 64), (0, -1)),
    "turned 180": turn(180, (64, 48), (-1, -1)),
    "turned 270": turn(270, (48, 64), (-1, 0)),
    "interlaced": coded("mpg", "mpeg2video", flags="+ilme+ildct"),
    "16x16": coded("mp4", "libx264", size=(16, 16)),
    "17x23": coded("mp4", "mpeg4", size=(17, 23)),
    "1x1": coded("mkv", "ffv1", "bgr0", size=(1, 1)),
    "3x1000": coded("webm", "libvpx", size=(3, 1000)),
    "4k": OddVideo(
        "mp4",
        partial(write, codec="libx264", frames=2, size=(3840, 2160), preset="ultrafast"),
        (2, 2),
        size=(3840, 2160),
    ),
    "grey h264": coded("mp4", "libx264", "gray"),
    "grey 16 bit": coded("mkv", "ffv1", "gray16le"),
    "10 bit": coded("mp4", "libx264", "yuv420p10le"),
    "10 bit prores": coded("mov", "prores_ks", "yuv422p10le"),
    "yuv444": coded("mp4", "libx264", "yuv444p"),
    "alpha png": coded("mov", "png", "rgba"),
    "alpha qtrle": coded("mov", "qtrle", "argb"),
    "alpha vp9": coded("webm", "libvpx-vp9", "yuva420p"),
    "rgb": coded("avi", "rawvideo", "bgr24"),
    "mjpeg": coded("avi", "mjpeg", "yuvj420p"),
    "mpeg2": coded("mpg", "mpeg2video"),
    "vp8": coded("webm", "libvpx"),
    "vp9": coded("webm", "libvpx-vp9"),
    "h265": coded("mp4", "libx265", **{"x265-params": "log-level=none"}),
    "flv": coded("flv", "flv1"),
    "sound first": coded("mp4", "libx264", sound="aac"),
    "larger midway": resized(SIZE, (96, 80)),
    "smaller midway": resized((96, 80), SIZE),
    "larger midway, mpeg2": resized(SIZE, (96, 80), codec="mpeg2video"),
}

ODD = {**NO_VIDEOS, **DAMAGED, **TIMES, **PICTURES}
