"""`slr bench extract`: how fast extraction is, beside a plain MediaPipe loop in the same run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from poseprep.errors import InputError
from poseprep.find import find_videos
from poseprep.machine import machine
from poseprep.store import KeypointStore

_LOOK_SECONDS = 0.05
_READ_SECONDS = 1.0
HANDS_AND_BODY = ("body", "left_hand", "right_hand")


@dataclass(frozen=True)
class Row:
    """One way of extracting, measured from the start of its process to the end.

    Attributes:
        cpu_ms: CPU time of all its processes for a frame.
        peak_mib: resident memory of its largest process, at most, MiB.
        bytes: of the store, for a frame; 0 where there is none.
    """

    name: str
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
        rows: the plain loop first.
        inside_ms: CPU time for a frame inside MediaPipe's `process`, in the plain loop.
        read_rate: frames a second of body and hands, read from the store.
    """

    rows: list[Row]
    inside_ms: float
    read_rate: float
    videos: int
    machine: str


def bench_extract(
    videos: Path,
    workers: int,
    rounds: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> Bench:
    """Measure the plain loop, `slr extract --no-recover` and `slr extract`, in turns.

    Args:
        rounds: how often each is run; what is told is their sum. Machines are shared, and their
            speed drifts: more rounds even it out.
        tell: told what is being measured.

    Raises:
        InputError: there is no video that all of them read whole.
    """
    found = [video for video in find_videos(videos).videos if not video.images]
    paths = [str(video.path) for video in found]
    ways = {
        "plain MediaPipe loop, 1 process": [],
        f"slr extract --no-recover, workers: {workers}": ["--no-recover", "--workers", workers],
        f"slr extract, workers: {workers}": ["--workers", workers],
    }
    if workers > 1:
        ways["slr extract --no-recover, workers: 1"] = ["--no-recover", "--workers", 1]
    measured: dict[str, list[Row]] = {name: [] for name in ways}
    inside: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, flags in ways.items():
                tell(name)
                if not flags:
                    row, spent = _plain_loop(name, paths)
                    if not row.frames:
                        raise InputError(f"{videos}: not a frame could be read; give whole videos")
                    inside.append(1000 * spent / row.frames)
                else:
                    row = _extract(
                        name, videos, Path(folder, "out.h5"), [str(flag) for flag in flags]
                    )
                measured[name].append(row)
        read_rate = _read_rate(Path(folder, "out.h5"))
    rows = [_together(runs) for runs in measured.values()]
    if len({row.frames for row in rows}) != 1:
        counts = ", ".join(f"{row.name}: {row.frames}" for row in rows)
        raise InputError(
            f"{videos}: not all of them read the same frames ({counts}); bench with whole videos"
        )
    return Bench(rows, sum(inside) / len(inside), read_rate, len(found), machine())


def _plain_loop(name: str, paths: Sequence[str]) -> tuple[Row, float]:
    command = [sys.executable, "-m", "poseprep.landmarkers.plain_loop", *paths]
    output, seconds, cpu, peak = _run(command)
    said = json.loads(output)
    frames = max(1, said["frames"])
    return Row(name, said["frames"], seconds, 1000 * cpu / frames, peak), said["cpu_seconds"]


def _extract(name: str, videos: Path, out: Path, flags: Sequence[str]) -> Row:
    command = [sys.executable, "-m", "slr_toolkit.cli", "extract", str(videos), str(out)]
    _, seconds, cpu, peak = _run([*command, "--quiet", "--overwrite", *flags])
    with KeypointStore(out) as store:
        frames = max(1, store.frames)
        return Row(
            name, store.frames, seconds, 1000 * cpu / frames, peak, out.stat().st_size / frames
        )


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
    return Row(
        runs[0].name,
        runs[0].frames,
        sum(run.seconds for run in runs) / count,
        sum(run.cpu_ms for run in runs) / count,
        max(run.peak_mib for run in runs),
        runs[-1].bytes,
    )
