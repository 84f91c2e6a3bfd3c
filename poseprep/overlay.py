"""Pictures of a clip with its skeleton drawn over the video."""

import math
from pathlib import Path

import cv2
import numpy as np

from poseprep.clip import Clip
from poseprep.errors import InputError, VideoError
from poseprep.files import write_whole
from poseprep.find import IMAGE_ENDINGS, Video, find_video
from poseprep.skeleton import Skeleton
from poseprep.video import VideoReader

# RGB, told apart by colour-blind readers too (Okabe and Ito's palette).
PART_COLOURS = {
    "body": (240, 228, 66),
    "left_hand": (0, 158, 255),
    "right_hand": (255, 110, 0),
    "face": (180, 255, 220),
}
# Body points that MediaPipe itself takes to be hidden or outside are not drawn.
_VISIBLE = 0.5
_TILE_HEIGHT, _TILE_WIDTH = 360, 1280  # at most
_BLANK = 40


def draw_skeleton(
    frame: np.ndarray, pixels: np.ndarray, seen: np.ndarray, skeleton: Skeleton
) -> None:
    """Draw the edges and points of one frame onto it.

    Args:
        frame: (H, W, 3) uint8 RGB, drawn upon.
        pixels: (V, 2) column and row.
        seen: (V,) bool, the points to draw.
    """
    colour = np.zeros((len(skeleton), 3), int)
    for part, where in skeleton.parts.items():
        colour[where] = PART_COLOURS.get(part, (255, 255, 255))
    face = skeleton.parts.get("face", slice(0, 0))
    width = max(1, round(frame.shape[0] / 300))
    # Coordinates with 4 bits behind the point: lines do not jump from pixel to pixel.
    at = np.where(seen[:, None], np.clip(pixels, -1e4, 1e4), 0) * 16
    spots = np.round(at).astype(int).tolist()
    for a, b in skeleton.edges.tolist():
        if seen[a] and seen[b]:
            thin = face.start <= b < face.stop
            cv2.line(
                frame, spots[a], spots[b], colour[b].tolist(), 1 if thin else width, cv2.LINE_AA, 4
            )
    for i in np.flatnonzero(seen):
        if not face.start <= i < face.stop:
            cv2.circle(
                frame, spots[i], round(16 * width * 1.1), colour[i].tolist(), -1, cv2.LINE_AA, 4
            )


def contact_sheet(clip: Clip, video: Video | None, tiles: int = 12) -> np.ndarray:
    """Frames spread evenly over the clip, with the skeleton over the picture.

    Args:
        video: where the picture comes from; None draws on an empty ground.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        VideoError: the video cannot be read any more, or is not the clip's.
    """
    frames = len(clip.time)
    chosen = np.unique(np.linspace(0, frames - 1, min(tiles, frames)).round().astype(int))
    pictures = _frames(video, clip, chosen) if video else {}
    width, height = clip.width or _TILE_HEIGHT, clip.height or _TILE_HEIGHT
    scale = min(_TILE_HEIGHT / height, _TILE_WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    drawn = []
    for i in chosen.tolist():
        tile: np.ndarray = np.full((size[1], size[0], 3), _BLANK, np.uint8)
        if i in pictures:
            tile = cv2.resize(pictures[i], size, interpolation=cv2.INTER_AREA)
        pixels = clip.points[i, :, :2] * size[1]
        draw_skeleton(tile, pixels, _drawn(clip, i), clip.skeleton)
        for shade, thickness in ((0, 3), (255, 1)):
            cv2.putText(
                tile,
                f"{clip.time[i]:.2f} s",
                (8, size[1] - 10),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5,
                (shade,) * 3,
                thickness,
                cv2.LINE_AA,
            )
        drawn.append(tile)
    columns = _columns(len(drawn), size[0] / size[1])
    empty = np.full_like(drawn[0], 255)
    drawn += [empty] * (-len(drawn) % columns)
    rows = [np.hstack(drawn[i : i + columns]) for i in range(0, len(drawn), columns)]
    return np.vstack(rows)


def _columns(tiles: int, aspect: float) -> int:
    """Columns that make the sheet about 16:9, and leave as few tiles empty as that allows."""
    best = math.sqrt(tiles * 16 / 9 / aspect)
    near = range(max(1, round(best * 0.75)), max(1, round(best * 1.3)) + 1)
    return min(near, key=lambda columns: (-tiles % columns, abs(columns - best)))


def _drawn(clip: Clip, frame: int) -> np.ndarray:
    seen = clip.confidence[frame] > 0
    body = clip.skeleton.parts.get("body", slice(0, 0))
    seen[body] &= clip.confidence[frame, body] >= _VISIBLE
    return seen


def _frames(video: Video, clip: Clip, wanted: np.ndarray) -> dict[int, np.ndarray]:
    pictures, last = {}, int(wanted[-1])
    expected = (clip.height, clip.width) if clip.height else None
    try:
        # A segment begins where its first frame lies in the video.
        for i, (_, frame) in enumerate(VideoReader(video, [(float(clip.time[0]), math.inf)])):
            if expected and frame.shape[:2] != expected:
                raise VideoError(
                    f"{frame.shape[1]}×{frame.shape[0]} pixels, but the clip was extracted from "
                    f"{clip.width}×{clip.height}: another video? Say where the right one is with "
                    "--videos, or draw without it with --no-video"
                )
            if i in wanted:
                pictures[i] = frame
            if i == last:
                break
    except VideoError as error:
        raise VideoError(f"{video.path}: {error}") from error
    return pictures


def locate_video(clip: Clip, place: Path) -> Video:
    """The video that a clip was extracted from, below `place`, or `place` itself.

    Raises:
        InputError: it is not there.
    """
    try:
        return find_video(place, clip.key, clip.fps or 1.0)
    except InputError as error:
        raise InputError(
            f"{error}; say where the clip's video is with --videos, or draw without it "
            "with --no-video"
        ) from error


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB picture; its kind follows from the path's ending."""
    ending = path.suffix.lower()
    if ending not in IMAGE_ENDINGS:
        raise InputError(f"{path}: expected a picture's name, such as sheet.png")
    done, coded = cv2.imencode(ending, image[..., ::-1])
    if not done:
        raise InputError(f"{path}: the picture does not fit into a {ending} file; try .png")
    try:
        write_whole(path, coded.tobytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
