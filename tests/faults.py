"""What the tests of faults share: a real `slr extract` to be hurt, and what must hold after it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from poseprep.bench import family
from poseprep.errors import InputError
from poseprep.journal import journal_path
from poseprep.store import KeypointStore

SLR = str(Path(sys.executable).with_name("slr"))
PATIENCE_SECONDS = 120


def start(videos, out, *flags, workers=2, **how):
    """`slr extract` in a session of its own."""
    words = ["extract", videos, out, "--no-recover", "--face", "none", "--workers", workers]
    return subprocess.Popen(
        [SLR, *map(str, [*words, "--quiet", *flags])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **how,
    )


def finish(running):
    """Wait for it; returns its exit code and what it said."""
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    return running.returncode, said


def extract(videos, out, *flags, **how):
    """A run that nobody disturbs; returns what it said."""
    code, said = finish(start(videos, out, *flags, **how))
    assert code in (0, 3), said
    return said


def wait_for(running, condition):
    """Until something holds, or the run is over; returns whether it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if running.poll() is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return True


def sealed(out):
    """How many videos are done for good, by what lies in the journal."""
    try:
        return journal_path(out).read_bytes().count(b'{"sealed": ')
    except FileNotFoundError:
        return 0


def many(clips, folder, count):
    """A folder of so many videos: copies of these clips, by turns."""
    folder.mkdir(parents=True)
    for i in range(count):
        shutil.copy(clips[i % len(clips)], folder / f"{i}.mp4")
    return folder


def workers(running):
    """The processes that measure: `multiprocessing` names them on their command line."""
    found = []
    for pid in family(running.pid)[1:]:
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def content(out):
    """Key → digest of everything measured. Opening checks that the store is whole."""
    with KeypointStore(out) as store:
        return dict(zip(store.keys, store.columns["points_sha256"].tolist(), strict=True))


def nothing_or_whole(out):
    """Whether OUT is a complete store, or not there."""
    try:
        content(out)
    except InputError as error:
        return "no such file" in str(error)
    return True


def session_is_gone(running):
    """Whether nobody of its session is left, at once or after a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@contextmanager
def small_disk(place, kilobytes):
    """A file system in memory of so much room; skips the test where mounting is refused."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be made here: mounting is refused")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def resize(disk, kilobytes):
    """Give a small disk another size."""
    size = f"remount,size={kilobytes}k"
    subprocess.run(["mount", "-o", size, str(disk)], check=True, capture_output=True)
