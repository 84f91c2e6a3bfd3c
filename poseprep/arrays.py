"""`slr import`: existing keypoint arrays (.npz) become a store (docs/format.md, "Imported")."""

import hashlib
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from poseprep.clip import IMPORTED, MISSING, Clip
from poseprep.errors import InputError
from poseprep.options import check
from poseprep.place import check_place
from poseprep.settings import ImportSettings
from poseprep.skeleton import HOLISTIC, Skeleton
from poseprep.store import KeypointStore
from poseprep.store_layout import POINTWISE_PARTS

# Name → the parts that the points are, one after the other.
LAYOUTS = {
    "hand": ("right_hand",),
    "body-hands": ("body", "left_hand", "right_hand"),
    "holistic": ("body", "left_hand", "right_hand", "face"),
}
# Frames a second where that is not known. A whole clip is resampled, so it seldom matters; the
# store's settings and `fps` say that it is unknown.
NOMINAL_FPS = 25.0
_SPLITS = {
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "training": "train",
    "testing": "test",
}
_KNOWN = ("points", "sign", "signer", "split", "confidence", "visibility", "key", "length")
_LONGEST_KEY = 6  # digits of a clip's number, at least


@dataclass
class Imported:
    """What came of an import.

    Attributes:
        frames, clips: that the store holds.
        signs, signers, splits: name → clips; the empty name stands for unknown.
        missing: part → frames in which it is missing.
        torn: frames in which some points of a hand or face were missing, and the others dropped.
        empty: clips that show nobody.
        largest: the largest x or y, either side of zero.
        ignored: arrays of the file that were not read.
    """

    settings: ImportSettings
    skeleton: str
    clips: int = 0
    frames: int = 0
    signs: Counter[str] = field(default_factory=Counter)
    signers: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    torn: int = 0
    largest: float = 0.0
    empty: int = 0
    ignored: tuple[str, ...] = ()


def import_arrays(
    file: str | Path, out: str | Path, settings: ImportSettings, overwrite: bool = False
) -> Imported:
    """Make a store of the arrays of an .npz file.

    `points` (N, T, V, 2 or 3), or (F, V, 2 or 3) of all clips end to end with `length` (N,), and
    `sign` (N,). Optional: `signer`, `split`, `key`, `length` (N,) (with (N, T, …) the frames that
    are really there), `confidence` (N, T, V) or `visibility` (N, T, 33) of the body. A part that
    is all zero in a frame is missing there.

    Raises:
        InputError: a setting is not allowed, the file is no such file, arrays do not fit together,
            or `out` cannot be written or is there already.
    """
    check(settings)
    file, out = Path(file), Path(out)
    check_place(out)
    if out.exists() and not overwrite:
        raise InputError(f"{out}: already there; give --overwrite, or another place")
    arrays = _read(file)
    clips = _Clips(file, arrays, settings)
    found = Imported(settings, clips.layout, ignored=tuple(sorted(arrays.keys() - set(_KNOWN))))
    writer = KeypointStore.create(
        out,
        clips.skeleton,
        settings={**asdict(settings), "skeleton": clips.layout},
        landmarker={"name": "imported", "file": file.name, "sha256": _file_hash(file)},
        labels_from="table",
    )
    with writer:
        for clip, torn in clips:
            writer.add(clip)
            found.clips += 1
            found.frames += len(clip.time)
            found.torn += torn
            size = float(np.nanmax(np.abs(clip.points[..., :2]), initial=0.0))
            found.largest = max(found.largest, size)
            found.empty += not clip.source.any()
            found.signs[clip.sign] += 1
            found.signers[clip.signer] += 1
            found.splits[clip.split] += 1
            for column, part in enumerate(clip.skeleton.parts):
                found.missing[part] += int((clip.source[:, column] == MISSING).sum())
    return found


def _read(file: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz, without pickled objects."""
    try:
        with file.open("rb") as handle:  # which numpy leaves open where it is damaged
            opened = np.load(handle, allow_pickle=False)
            if not isinstance(opened, np.lib.npyio.NpzFile):
                raise InputError(f"{file}: one array; expected an .npz file of several, by name")
            return {name: opened[name] for name in opened.files}
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such file; expected an .npz file of keypoints") from error
    except (
        *(OSError, ValueError, EOFError, MemoryError, NotImplementedError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        objects = "Object arrays" in str(error)
        if "pickled data" in str(error):  # what numpy says of anything that is no array
            raise InputError(f"{file}: no .npz file; `numpy.savez` writes one") from error
        why = (
            "it holds pickled objects, which could run any program and are not read; save text as "
            "`np.array(signs, dtype=str)`"
            if objects
            else f"{' '.join(str(error).split())[:120]}"
        )
        raise InputError(f"{file}: cannot be read as .npz ({why})") from error


class _Clips:
    """The clips of a file, checked before the first is made; each with its torn frames."""

    def __init__(self, file: Path, arrays: Mapping[str, np.ndarray], settings: ImportSettings):
        self.file, self.settings = file, settings
        self.points = self._points(arrays)
        self.layout, self.skeleton = self._skeleton(settings.skeleton)
        self.signs = self._text(arrays, "sign", None)
        count = len(self.signs)
        self.starts, self.lengths = self._spans(arrays, count)
        self.signers = self._text(arrays, "signer", count)
        self.splits = [self._split(name) for name in self._text(arrays, "split", count)]
        self.keys = self._keys(arrays, count)
        self.confidence = self._confidence(arrays)

    def __iter__(self) -> Iterator[tuple[Clip, int]]:
        for i in sorted(range(len(self.keys)), key=self.keys.__getitem__):
            yield self._clip(i)

    def _clip(self, i: int) -> tuple[Clip, int]:
        rows = (
            (i, slice(0, self.lengths[i]))
            if self.points.ndim == 4
            else slice(self.starts[i], self.starts[i] + self.lengths[i])
        )
        points = np.zeros((self.lengths[i], len(self.skeleton), 3), np.float32)
        points[..., : self.points.shape[-1]] = self.points[rows]
        if np.isinf(points).any():
            raise InputError(
                f"{self.file}: points of clip {i} ({self.keys[i]}) are infinite; mark what is "
                "missing as NaN, or a whole hand as zeros"
            )
        points *= np.array([self.settings.aspect or 1.0, 1.0, self.settings.aspect or 1.0])
        given = None if self.confidence is None else self.confidence[rows].astype(np.float32)
        confidence, torn = self._seen(points, given)
        points[..., 2] = np.nan_to_num(points[..., 2])
        points[confidence == 0] = np.nan
        there = [(confidence[:, where] > 0).any(axis=1) for where in self.skeleton.parts.values()]
        fps = self.settings.fps
        clip = Clip(
            key=self.keys[i],
            points=points,
            confidence=confidence,
            time=np.arange(len(points)) / (fps or NOMINAL_FPS),
            source=np.where(np.stack(there, axis=1), IMPORTED, MISSING).astype(np.uint8),
            width=0,
            height=0,
            fps=fps or 0.0,
            sign=self.signs[i],
            signer=self.signers[i],
            split=self.splits[i],
            skeleton=self.skeleton,
        )
        return clip, torn

    def _seen(
        self, points: Float[np.ndarray, "T V 3"], given: Float[np.ndarray, "T K"] | None
    ) -> tuple[Float[np.ndarray, "T V"], int]:
        """The confidence of every point, 0 where missing; and how many frames lost a torn part."""
        # z decides nothing: many a landmarker has none, or none of this point.
        known: Bool[np.ndarray, "T V"] = ~np.isnan(points[..., :2]).any(axis=-1)
        confidence = known.astype(np.float32)
        if given is not None:  # of all points, or of the body alone, which comes first
            confidence[:, : given.shape[1]] *= np.clip(np.nan_to_num(given), 0, 1)
        torn: Bool[np.ndarray, " T"] = np.zeros(len(points), bool)
        for part, where in self.skeleton.parts.items():
            own = confidence[:, where]
            own[(points[:, where] == 0).all(axis=(1, 2))] = 0
            if part not in POINTWISE_PARTS:
                # Hands and face are found as a whole, or not at all.
                whole = (own > 0).all(axis=1)
                torn |= (own > 0).any(axis=1) & ~whole
                own[:] = np.where(whole, own.mean(axis=1), 0)[:, None]
        return confidence, int(torn.sum())

    def _points(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        if "points" not in arrays or "sign" not in arrays:
            raise InputError(
                f"{self.file}: expected the arrays `points` and `sign`, found "
                f"{', '.join(sorted(arrays)) or 'none'}"
            )
        points = arrays["points"]
        shaped = (points.ndim == 4 or (points.ndim == 3 and "length" in arrays)) and (
            points.shape[-1] in (2, 3)
        )
        if not shaped or points.dtype.kind not in "fiu":
            raise InputError(
                f"{self.file}: points should be numbers of shape (clips, frames, points, 2 or 3), "
                "or with `length` (all frames, points, 2 or 3); found "
                f"{points.dtype} {points.shape}"
            )
        return points

    def _skeleton(self, name: str) -> tuple[str, Skeleton]:
        sizes = {}
        for layout, parts in LAYOUTS.items():
            spans = [HOLISTIC.parts[part] for part in parts]
            sizes[layout] = sum(where.stop - where.start for where in spans)
        count = self.points.shape[-2]
        fitting = [layout for layout, size in sizes.items() if size == count]
        if not fitting or name not in ("auto", fitting[0]):
            known = ", ".join(f"{layout} {size}" for layout, size in sizes.items())
            raise InputError(
                f"{self.file}: {count} points a frame, which is not "
                f"{'any known skeleton' if name == 'auto' else f'the skeleton {name}'} ({known}); "
                "points must be MediaPipe's, in its order"
            )
        names = [n for part in LAYOUTS[fitting[0]] for n in HOLISTIC.names[HOLISTIC.parts[part]]]
        return fitting[0], HOLISTIC.select(names)

    def _spans(self, arrays: Mapping[str, np.ndarray], count: int) -> tuple[list[int], list[int]]:
        frames = self.points.shape[1] if self.points.ndim == 4 else len(self.points)
        clips = len(self.points) if self.points.ndim == 4 else count
        if clips != count:
            raise InputError(f"{self.file}: points of {clips} clips, but {count} signs")
        lengths = arrays.get("length", np.full(count, frames))
        total = int(lengths.sum()) if lengths.dtype.kind in "iu" else -1
        fits = lengths.shape == (count,) and lengths.dtype.kind in "iu" and (lengths > 0).all()
        ends = self.points.ndim == 3
        if not fits or (total != frames if ends else (lengths > frames).any()):
            expected = f"that add up to {frames}" if ends else f"from 1 to {frames}"
            raise InputError(
                f"{self.file}: length should be {count} whole numbers {expected}, found "
                f"{lengths.dtype} {lengths.shape}, sum {total}"
            )
        if not count:
            raise InputError(f"{self.file}: holds no clip")
        return [0, *np.cumsum(lengths)[:-1].tolist()], lengths.tolist()

    def _text(self, arrays: Mapping[str, np.ndarray], name: str, count: int | None) -> list[str]:
        """A column of text or whole numbers; empty text where the file has none."""
        if name not in arrays:
            return [""] * (count or 0)
        values = arrays[name]
        shaped = values.ndim == 1 and (count is None or len(values) == count)
        if not shaped or values.dtype.kind not in "USiu":
            raise InputError(
                f"{self.file}: {name} should be text or whole numbers of shape "
                f"({'clips' if count is None else count},), found {values.dtype} {values.shape}"
            )
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8", "replace")
        found = [str(value).strip() for value in values.tolist()]
        odd = next((text for text in found if "\0" in text or not _encodes(text)), None)
        if odd is not None:
            raise InputError(f"{self.file}: {name} {odd!r} holds a character that is no text")
        return found

    def _split(self, name: str) -> str:
        known = _SPLITS.get(name.lower(), name.lower())
        if known not in ("", "train", "val", "test"):
            raise InputError(f"{self.file}: split {name!r}; expected train, val, test or nothing")
        return known

    def _keys(self, arrays: Mapping[str, np.ndarray], count: int) -> list[str]:
        if "key" not in arrays:
            digits = max(_LONGEST_KEY, len(str(count - 1)))
            return [f"clip-{i:0{digits}d}" for i in range(count)]
        keys = self._text(arrays, "key", count)
        twice = [key for key, times in Counter(keys).items() if times > 1 or not key]
        if twice:
            raise InputError(f"{self.file}: every clip needs a key of its own, found {twice[0]!r}")
        return keys

    def _confidence(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
        name = next((n for n in ("confidence", "visibility") if n in arrays), None)
        if name is None:
            return None
        values, body = arrays[name], self.skeleton.parts.get("body", slice(0, 0))
        points = len(self.skeleton) if name == "confidence" else body.stop
        expected = (*self.points.shape[:-2], points)
        if values.shape != expected or values.dtype.kind not in "fiu":
            raise InputError(
                f"{self.file}: {name} should be numbers of shape {expected}, found "
                f"{values.dtype} {values.shape}"
            )
        if np.nanmax(values, initial=0) > 1:
            raise InputError(
                f"{self.file}: {name} goes up to {np.nanmax(values):g}; expected 0 (missing) to 1"
            )
        return values


def _encodes(text: str) -> bool:
    """Whether it is UTF-8; half a surrogate pair is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _file_hash(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
