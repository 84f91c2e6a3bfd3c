"""A clip as a strip of small pictures of its skeleton, to be played by whoever shows it."""

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from poseprep.clip import Clip
from poseprep.overlay import PART_COLOURS, draw_skeleton

# Dark: the parts' colours are made to be seen upon a picture.
GROUND = (27, 30, 36)
# A sign is not made with the legs, and they would make everything else small.
_LEGS = ("knee", "ankle", "heel", "foot_index")
# Body points that MediaPipe itself takes to be hidden or outside are not drawn.
_VISIBLE = 0.5
_MARGIN = 0.08  # of the tile's side, left free all around
_SHADES = 8  # from the ground to each colour; what lies between is smoothed edges
# Beside a body hands are small: drawn at so many times the size, so that fingers stay apart.
_FINER = 2


# Low and high corner, x and y each.
Extent = tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]


@dataclass(frozen=True)
class Sprite:
    """Frames side by side.

    Attributes:
        png: the strip, `frames` square tiles of `size` pixels in a row.
        seconds: how long the clip took; 0 where it has one frame only.
    """

    png: bytes
    frames: int
    size: int
    seconds: float


def make_sprite(clip: Clip, frames: int = 16, size: int = 128) -> Sprite:
    """The clip's skeleton as `draw_strip` draws it, packed for a page."""
    seconds = float(clip.time[-1] - clip.time[0])
    return Sprite(_palette_png(draw_strip(clip, frames, size)), frames, size, seconds)


def draw_strip(
    clip: Clip, frames: int, size: int, extent: Extent | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """The clip's skeleton at evenly spread times, cropped to what the signer fills over the clip.

    Args:
        frames: tiles in the strip; a clip that has fewer frames shows some of them twice.
        size: the side of a tile in pixels.
        extent: what a tile shows, so that strips can be compared; else what the clip fills.

    Returns:
        (size, frames · size, 3) RGB.
    """
    wanted = np.linspace(clip.time[0], clip.time[-1], frames)
    chosen = np.abs(clip.time[:, None] - wanted).argmin(axis=0)
    seen = _drawn(clip)
    large = size * (_FINER if "body" in clip.skeleton.parts else 1)
    pixels = _fitted(clip.points[..., :2], extent or drawn_extent(clip), large)
    tiles = []
    for frame in chosen.tolist():
        # A picture of its own: a line must not run on into the next tile.
        tile = np.full((large, large, 3), GROUND, np.uint8)
        draw_skeleton(tile, pixels[frame], seen[frame], clip.skeleton)
        tiles.append(cv2.resize(tile, (size, size), interpolation=cv2.INTER_AREA))
    return np.hstack(tiles)


def _drawn(clip: Clip) -> Bool[np.ndarray, "T V"]:
    seen = clip.confidence > 0
    body = clip.skeleton.parts.get("body", slice(0, 0))
    seen[:, body] &= clip.confidence[:, body] >= _VISIBLE
    seen[:, [name.endswith(_LEGS) for name in clip.skeleton.names]] = False
    return seen


def drawn_extent(clip: Clip) -> Extent:
    """The smallest and largest x and y of all that is drawn of a clip."""
    seen = _drawn(clip)
    if not seen.any():
        return np.zeros(2), np.ones(2)
    points = clip.points[seen][:, :2]
    return points.min(axis=0), points.max(axis=0)


def _fitted(
    points: Float[np.ndarray, "T V 2"], extent: Extent, size: int
) -> Float[np.ndarray, "T V 2"]:
    """Column and row in a tile: the extent fills it, and nothing is stretched."""
    low, high = extent
    scale = size * (1 - 2 * _MARGIN) / max(float((high - low).max()), 1e-6)
    return (points - (low + high) / 2) * scale + (size - 1) / 2


@lru_cache(maxsize=1)
def _palette() -> tuple[UInt8[np.ndarray, "P 3"], UInt8[np.ndarray, " L"]]:
    """The colours, and for each colour of 5 bits a channel the nearest of them."""
    colours = np.array([*PART_COLOURS.values(), (255, 255, 255)], float)
    share = np.linspace(0, 1, _SHADES)[:, None, None]
    shades = np.array(GROUND) * (1 - share) + colours * share
    palette = np.unique(shades.reshape(-1, 3).round().astype(np.uint8), axis=0)
    level = np.arange(32) * 255 / 31
    every = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    distance = ((every - palette.astype(float)) ** 2).sum(axis=-1)
    return palette, distance.argmin(axis=1).astype(np.uint8)


def _palette_png(picture: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """A PNG of one byte a pixel: a third of what OpenCV writes, which has no palette.

    Source: PNG specification, third edition, sections 5 and 11 (W3C).
    """
    palette, nearest = _palette()
    red, green, blue = np.moveaxis(picture.astype(np.uint32) * 31 // 255, -1, 0)
    indices = nearest[(red * 32 + green) * 32 + blue]
    rows = np.pad(indices, ((0, 0), (1, 0)))  # each row begins with its filter: none
    height, width = indices.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", head),
            (b"PLTE", palette.tobytes()),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum
