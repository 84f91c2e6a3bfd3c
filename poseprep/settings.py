"""The settings of extraction. Nothing heavy is imported here: `slr --help` must be quick."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from poseprep.errors import InputError
from poseprep.options import setting

# The names of LANDMARKERS, FACES and REFERENCES, said again here because those need numpy; a test
# compares.
# A landmarker's name → the settings and options that it reads.
LANDMARKER_READS = {
    "mediapipe": ("face", "recover"),
    "batched": (
        *("face", "recover", "track", "smooth", "precision", "model"),
        *("device", "batch", "compile"),
    ),
}
LANDMARKER_NAMES = tuple(LANDMARKER_READS)
FACE_NAMES = ("full", "contours", "none")
PRECISIONS = ("float32", "float16", "bfloat16")
REFERENCE_NAMES = ("static", "static-unreset", "video", "unsmoothed")
DEVICES = ("auto", "cpu", "cuda")
SKELETON_NAMES = ("auto", "hand", "body-hands", "holistic")


@dataclass(frozen=True)
class ExtractSettings:
    """What decides the points: two stores of different settings never mix.

    Attributes:
        track: else every frame is looked at alone; only `recover` and `smooth` remember others.
        precision: of the networks where they run on a GPU; on a CPU they are float32.
        model: path of MediaPipe's `holistic_landmarker.task` or one like it; empty is the networks
            that the installed MediaPipe carries. What decides is the networks themselves, whose
            hashes the landmarker tells; a store records only the file's name, for a reader.
        fps: None where there are no folders of images.
    """

    landmarker: str = setting("mediapipe", "what finds the keypoints", choices=LANDMARKER_NAMES)
    face: str = setting("full", "how much of the face mesh is stored", choices=FACE_NAMES)
    recover: bool = setting(True, "look a second time for hands that were missed")
    track: bool = setting(
        False,
        "batched: follow a person from frame to frame, as MediaPipe's video mode does, instead of "
        "finding them anew",
    )
    smooth: bool = setting(
        False, "batched: smooth the body in time with MediaPipe's one-euro filter"
    )
    precision: str = setting(
        "float32", "batched, on a GPU: precision of the networks", choices=PRECISIONS
    )
    model: str = setting(
        "", "batched: a .task bundle of networks  [default: MediaPipe's own]", metavar="PATH"
    )
    fps: float | None = setting(None, "frames a second of folders of images", minimum=1e-3)

    def recorded(self) -> dict[str, Any]:
        """What a store records: without what only other landmarkers read.

        So a store of one landmarker stays what it is when another brings settings of its own.
        """
        unread = _READ_BY_SOME - set(LANDMARKER_READS[self.landmarker])
        said = {**asdict(self), "model": Path(self.model).name}
        return {name: value for name, value in said.items() if name not in unread}


@dataclass(frozen=True)
class ExtractOptions:
    """How an extraction is carried out; none of it changes a point.

    On how many frames at once the batched landmarker works may change the last digits: by less
    than 1e-4 of the frame height, where `precision` is float32. `device` may change more, and so
    may `compile` in half precision: the landmarker tells its engine, and stores of two never mix.

    Attributes:
        workers: None is one for every core.
        shard: `I/N`, which part of the videos; empty is all of them.
        dask: address of a Dask cluster that does the work; empty is this machine.
        device: auto is a GPU where there is one.
    """

    workers: int | None = setting(None, "processes  [default: one a core]", minimum=1)
    timeout: float = setting(
        60.0, "seconds without a frame after which a video is given up", minimum=1
    )
    strict: bool = setting(False, "stop at the first video that cannot be stored whole")
    overwrite: bool = setting(False, "start anew where OUT is already there")
    retry_problems: bool = setting(False, "try videos again that were problems before")
    rehash: bool = setting(False, "compare the contents of all videos, not only size and time")
    prune: bool = setting(False, "drop clips whose videos are not there any more")
    shard: str = setting("", "do one part of the videos: I/N, with I from 1 to N")
    dask: str = setting("", "address of a Dask scheduler whose workers do the work")
    device: str = setting("auto", "batched: where the networks run", choices=DEVICES)
    batch: int = setting(
        16,
        "batched: frames of a video looked at together, on a CPU 8 at most; each takes memory",
        minimum=1,
        maximum=256,
    )
    compile: bool = setting(
        False,
        "batched, on a GPU only: compile the networks, which takes minutes at the start",
    )

    def part(self) -> tuple[int, int]:
        """The shard as numbers, (1, 1) where there is none.

        Raises:
            InputError: it is not I/N with 1 ≤ I ≤ N.
        """
        if not self.shard:
            return 1, 1
        first, _, last = self.shard.partition("/")
        if first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
            return int(first), int(last)
        raise InputError(
            f"--shard {self.shard}: expected I/N with I from 1 to N, such as 3/16; "
            "an array of 16 jobs does the parts 1/16 to 16/16"
        )


_READ_BY_SOME = {name for names in LANDMARKER_READS.values() for name in names}


def read_only_by(landmarker: str) -> tuple[str, ...]:
    """The settings and options that no other landmarker reads."""
    others = {n for name, names in LANDMARKER_READS.items() if name != landmarker for n in names}
    return tuple(name for name in LANDMARKER_READS[landmarker] if name not in others)


def check_read(settings: ExtractSettings, options: ExtractOptions) -> None:
    """Raise InputError for the first thing that was chosen, but that the landmarker does not read.

    Points that are not made as they were asked for must not come about in silence.
    """
    name = settings.landmarker
    for config in (settings, options):
        for entry in fields(config):
            readers = [other for other, names in LANDMARKER_READS.items() if entry.name in names]
            value = getattr(config, entry.name)
            if readers and name not in readers and value != entry.default:
                flag, who = "--" + entry.name.replace("_", "-"), " or ".join(readers)
                raise InputError(
                    f"{flag}: expected with --landmarker {who} only, found with {name}; leave "
                    f"{flag} out, or choose --landmarker {who}"
                )
    if settings.track and options.batch != ExtractOptions.batch:
        raise InputError(
            "--batch: expected without --track, which looks at one frame after the other; leave "
            "one of them out"
        )


def differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two settings, each as `name: there → here`; groups name by name."""
    found = []
    for name in [*there, *(name for name in here if name not in there)]:
        one, other = there.get(name), here.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append(f"{prefix}{name}: {_shown(one)} → {_shown(other)}")
    return found


def check_same(there: Mapping[str, Any], here: Mapping[str, Any], what: str) -> None:
    """Raises InputError, with the differences, unless `what` was made with these settings."""
    found = differences(*_of_both_landmarkers(*by_networks(there, here)))
    # What the user has chosen says it; what follows from it in the landmarker says nothing more.
    if found := [line for line in found if line.startswith("settings.")] or found:
        raise InputError(
            f"{what} was made with other settings, and they are never mixed (there → now): "
            f"{'; '.join(found)}. Use the same settings, give another OUT, or start anew with "
            "--overwrite"
        )


def by_networks(
    there: Mapping[str, Any], here: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Where the networks are the same, without the name of the bundle that they came in.

    A bundle may lie elsewhere by now, or be called something else.
    """
    one, other = (each.get("landmarker", {}).get("models") for each in (there, here))
    if one is None or one != other:
        return there, here

    def unnamed(each: Mapping[str, Any]) -> Mapping[str, Any]:
        settings, landmarker = each.get("settings", {}), each["landmarker"]
        return {
            **each,
            "settings": {k: v for k, v in settings.items() if k != "model"},
            "landmarker": {k: v for k, v in landmarker.items() if k != "of_bundle"},
        }

    return unnamed(there), unnamed(here)


def _of_both_landmarkers(
    there: Mapping[str, Any], here: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Where the landmarkers differ, without the settings that only one of them reads."""
    one, other = there.get("settings", {}), here.get("settings", {})
    if "landmarker" not in one or one["landmarker"] == other.get("landmarker"):
        return there, here
    return (
        {**there, "settings": {name: value for name, value in one.items() if name in other}},
        {**here, "settings": {name: value for name, value in other.items() if name in one}},
    )


def _shown(value: Any) -> str:
    text = "not set" if value in (None, "") else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


@dataclass(frozen=True)
class ImportSettings:
    """What existing keypoint arrays are; what is unknown is recorded as unknown."""

    skeleton: str = setting(
        "auto",
        "hand (21 points, the right one), body-hands (33 + 21 left + 21 right) or holistic (543); "
        "auto goes by their number",
        choices=SKELETON_NAMES,
    )
    fps: float | None = setting(None, "frames a second, where known", minimum=1e-3)
    aspect: float | None = setting(
        None, "width / height of the picture that x and y are fractions of", minimum=1e-2
    )
