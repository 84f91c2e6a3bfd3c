"""`slr bench extract`: how fast extraction is, beside plain MediaPipe loops in the same run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from poseprep.errors import InputError
from poseprep.extract import check_landmarker
from poseprep.find import find_videos
from poseprep.machine import machine
from poseprep.settings import LANDMARKER_NAMES, ExtractOptions, ExtractSettings, check_read
from poseprep.store import KeypointStore

_LOOK_SECONDS = 0.05
_READ_SECONDS = 1.0
HANDS_AND_BODY = ("body", "left_hand", "right_hand")


class Way(NamedTuple):
    """One way of extracting.

    Attributes:
        name: for a person.
        mode: what it is compared with: `video`, MediaPipe following a person, or `static`, its
            static mode.
        flags: of `slr extract`; None is the plain loop.
    """

    name: str
    mode: str
    flags: tuple[str, ...] | None = None


# A landmarker → the modes and flags it is measured with.
# The plain loop gives lost hands no second look: like is measured with like, and then the default.
_FLAGS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "mediapipe": [("video", ("--no-recover",)), ("video", ())],
    "batched": [
        ("video", ("--landmarker", "batched", "--track", "--smooth", "--no-recover")),
        ("static", ("--landmarker", "batched", "--no-recover")),
        ("static", ("--landmarker", "batched")),
    ],
}


@dataclass(frozen=True)
class Row:
    """One way of extracting, measured from the start of its process to the end.

    Attributes:
        mode: see `Way`.
        cpu_ms: CPU time of all its processes for a frame.
        peak_mib: resident memory of its largest process, at most, MiB.
        bytes: of the store, for a frame; 0 where there is none.
    """

    name: str
    mode: str
    frames: int
    seconds: float
    cpu_ms: float
    peak_mib: float = 0.0
    bytes: float = 0.0

    @property
    def rate(self) -> float:
        return self.frames / self.seconds


@dataclass(frozen=True)
class Bench:
    """The table, and what it was measured on.

    Attributes:
        rows: of every mode the plain loop first.
        inside_ms: mode → CPU time for a frame inside MediaPipe's `process`, in the plain loop.
        read_rate: frames a second of body and hands, read from the store.
    """

    rows: list[Row]
    inside_ms: dict[str, float]
    read_rate: float
    videos: int
    machine: str

    def plain(self, mode: str) -> Row:
        """The plain loop of a mode, with which its rows are compared."""
        return next(row for row in self.rows if row.mode == mode)


def ways(
    workers: int, landmarkers: Sequence[str] = LANDMARKER_NAMES, runs_on: Sequence[str] = ()
) -> list[Way]:
    """All that is measured, mode by mode.

    Args:
        workers: each is measured with so many, and with one.
        runs_on: flags for the batched landmarker, such as `--device cpu`.
    """
    found: dict[str, list[Way]] = {}
    for landmarker in landmarkers:
        for mode, flags in _FLAGS[landmarker]:
            for count in sorted({workers, 1}, reverse=True):
                name = " ".join(("slr extract", *flags)) + f", workers: {count}"
                where = tuple(runs_on) if landmarker == "batched" else ()
                way = Way(name, mode, (*flags, *where, "--workers", str(count)))
                found.setdefault(mode, []).append(way)
    plain = {"video": "plain MediaPipe loop", "static": "plain MediaPipe loop, static mode"}
    return [
        way
        for mode, ours in found.items()
        for way in (Way(f"{plain[mode]}, 1 process", mode), *ours)
    ]


def bench_extract(
    videos: Path,
    workers: int,
    rounds: int = 1,
    tell: Callable[[str], None] = lambda text: None,
    landmarkers: Sequence[str] = LANDMARKER_NAMES,
    settings: ExtractSettings = ExtractSettings("batched"),
    options: ExtractOptions = ExtractOptions(),
) -> Bench:
    """Measure plain loops and `slr extract` with every landmarker, in turns.

    Args:
        workers, landmarkers: see `ways`.
        settings, options: `precision`, `device` and `compile` of the batched landmarker.
        rounds: how often each is run; what is told is their sum. Machines are shared, and their
            speed drifts: more rounds even it out.
        tell: told what is being measured.

    Raises:
        InputError: there is no video that all of them read whole, or a folder of images.
    """
    # With any frame rate folders of images are found, too, and can be refused by name.
    found = find_videos(videos, fps=1.0).videos
    if images := next((video.path for video in found if video.images), None):
        raise InputError(
            f"{images}: expected video files, found a folder of images, which the plain loops "
            "do not read; bench with a folder that has none"
        )
    paths = [str(video.path) for video in found]
    runs_on = ["--device", options.device, "--precision", settings.precision]
    chosen = ways(workers, landmarkers, runs_on + ["--compile"] * options.compile)
    # What is not there, or read by nobody, is told at once, not after hours of measuring.
    if "batched" in landmarkers:
        check_landmarker(settings, options)
    else:
        check_read(replace(settings, landmarker=landmarkers[0]), options)
    measured: dict[Way, list[Row]] = {way: [] for way in chosen}
    inside: dict[str, list[float]] = {way.mode: [] for way in chosen}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for way in chosen:
                tell(way.name)
                if way.flags is None:
                    row, spent = _plain_loop(way, paths)
                    if not row.frames:
                        raise InputError(f"{videos}: not a frame could be read; give whole videos")
                    inside[way.mode].append(1000 * spent / row.frames)
                else:
                    row = _extract(way, videos, Path(folder, "out.h5"), way.flags)
                measured[way].append(row)
        read_rate = _read_rate(Path(folder, "out.h5"))
    rows = [_together(runs) for runs in measured.values()]
    if len({row.frames for row in rows}) != 1:
        counts = ", ".join(f"{row.name}: {row.frames}" for row in rows)
        raise InputError(
            f"{videos}: not all of them read the same frames ({counts}); bench with whole videos"
        )
    inside_ms = {mode: sum(each) / len(each) for mode, each in inside.items()}
    return Bench(rows, inside_ms, read_rate, len(found), machine())


def _plain_loop(way: Way, paths: Sequence[str]) -> tuple[Row, float]:
    flags = ["--static"] if way.mode == "static" else []
    command = [sys.executable, "-m", "poseprep.landmarkers.plain_loop", *flags, *paths]
    output, seconds, cpu, peak = _run(command)
    said = json.loads(output)
    frames = max(1, said["frames"])
    row = Row(way.name, way.mode, said["frames"], seconds, 1000 * cpu / frames, peak)
    return row, said["cpu_seconds"]


def _extract(way: Way, videos: Path, out: Path, flags: Sequence[str]) -> Row:
    command = [sys.executable, "-m", "slr_toolkit.cli", "extract", str(videos), str(out)]
    _, seconds, cpu, peak = _run([*command, "--quiet", "--overwrite", *flags])
    with KeypointStore(out) as store:
        frames = max(1, store.frames)
        cpu_ms, stored = 1000 * cpu / frames, out.stat().st_size / frames
        return Row(way.name, way.mode, store.frames, seconds, cpu_ms, peak, stored)


def _run(command: Sequence[str]) -> tuple[bytes, float, float, float]:
    """Output, wall seconds, CPU seconds of all its processes, and MiB of the largest of them."""
    with tempfile.TemporaryFile() as output:
        began, peak = time.monotonic(), 0.0
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max([peak, *map(memory_mib, family(process.pid))])
            time.sleep(_LOOK_SECONDS)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode not in (0, 3):  # 3: some videos cannot be read; the rows tell
        raise InputError(f"{' '.join(command)} failed:\n{said.decode(errors='replace')}")
    return said, seconds, usage.ru_utime + usage.ru_stime, peak


def family(pid: int) -> list[int]:
    """A process and everything it started that still runs."""
    members, waiting = [], [pid]
    while waiting:
        members.append(waiting.pop())
        with suppress(OSError):
            children = Path(f"/proc/{members[-1]}/task/{members[-1]}/children").read_text()
            waiting += map(int, children.split())
    return members


def memory_mib(pid: int, figure: str = "VmHWM") -> float:
    """A process's resident memory: its highest, or with `VmRSS` as it is now; 0 if it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{figure}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _read_rate(path: Path) -> float:
    """Frames a second of body and hands, from the file system's cache; faces are not read.

    Opened anew for every pass: an open store keeps chunks that it has unpacked.
    """
    frames, seconds = 0, 0.0
    while seconds < _READ_SECONDS:
        with KeypointStore(path) as store:
            began = time.perf_counter()
            for part in HANDS_AND_BODY:
                store.part(part)
            seconds += time.perf_counter() - began
            frames += store.frames
    return frames / seconds


def _together(runs: Sequence[Row]) -> Row:
    """Several runs of one way as one."""
    count = len(runs)
    return replace(
        runs[-1],
        seconds=sum(run.seconds for run in runs) / count,
        cpu_ms=sum(run.cpu_ms for run in runs) / count,
        peak_mib=max(run.peak_mib for run in runs),
    )
