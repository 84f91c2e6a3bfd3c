"""Faults done for real to a running `slr extract`: what it holds, and that it goes on."""

import os
import random
import shutil
import signal
import time

import pytest
from faults import (
    content,
    extract,
    finish,
    kill,
    many,
    nothing_or_whole,
    resize,
    sealed,
    session_is_gone,
    small_disk,
    start,
    wait_for,
    workers,
)

from poseprep.journal import journal_path

pytestmark = pytest.mark.slow

VIDEOS = 8


@pytest.fixture(scope="module")
def videos(tmp_path_factory, short_clips):
    return many(short_clips, tmp_path_factory.mktemp("corpus") / "videos", VIDEOS)


@pytest.fixture(scope="module")
def undisturbed(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out.h5"
    extract(videos, out)
    return content(out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def test_a_run_killed_again_and_again_ends_with_the_same_points(videos, out, undisturbed):
    done = 0
    for more in (1, 2, 2):
        running, wanted = start(videos, out), done + more
        assert wait_for(running, lambda wanted=wanted: sealed(out) >= wanted)
        kill(running.pid)
        finish(running)
        assert session_is_gone(running)
        assert not out.exists()
        assert sealed(out) >= wanted
        done = sealed(out)
    said = extract(videos, out)
    assert f"Continuing. {VIDEOS} videos; {done} clips done already" in said
    assert content(out) == undisturbed
    assert [path.name for path in out.parent.iterdir()] == ["out.h5"]


def test_a_killed_worker_costs_nothing(videos, out, undisturbed):
    running = start(videos, out)
    for done in (1, 4):
        assert wait_for(running, lambda done=done: sealed(out) >= done and workers(running))
        kill(workers(running)[-1])
    code, said = finish(running)
    assert code == 0, said
    assert content(out) == undisturbed


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_soon_says_how_to_go_on_and_leaves_no_process(
    videos, out, undisturbed, stop
):
    running = start(videos, out)
    assert wait_for(running, lambda: sealed(out) >= 2)
    began = time.monotonic()
    if stop == signal.SIGINT:  # Ctrl-C goes to all processes of a terminal
        os.killpg(running.pid, stop)
    else:
        os.kill(running.pid, stop)
    code, said = finish(running)
    assert time.monotonic() - began < 5
    assert code == 130
    assert "run the same command again to continue" in said
    assert "Traceback" not in said
    assert session_is_gone(running)
    assert nothing_or_whole(out)
    extract(videos, out)
    assert content(out) == undisturbed


def test_stopped_before_the_first_video_nothing_is_left(videos, out):
    running = start(videos, out)
    assert wait_for(running, lambda: workers(running))
    os.killpg(running.pid, signal.SIGINT)
    assert finish(running)[0] == 130
    assert session_is_gone(running)
    assert list(out.parent.iterdir()) == []


def test_of_two_runs_at_once_the_second_is_refused_and_the_first_goes_on(videos, out, undisturbed):
    running = start(videos, out)
    assert wait_for(running, lambda: sealed(out) >= 1)
    code, said = finish(start(videos, out))
    assert code == 2
    assert "another `slr extract` is writing it" in said
    assert finish(running)[0] == 0
    assert content(out) == undisturbed


# Loaded by Python when it starts: a video can be told to hang or to crash its process.
TROUBLE = """
import os, signal, time
import poseprep.video

steps = poseprep.video.VideoReader.steps

def troubled(self):
    for i, step in enumerate(steps(self)):
        if i == 5 and "hang" in self.video.key:
            time.sleep(3600)
        if i == 5 and "crash" in self.video.key:
            os.kill(os.getpid(), signal.SIGSEGV)
        yield step

poseprep.video.VideoReader.steps = troubled
"""


def test_a_video_that_hangs_or_crashes_is_a_problem_and_not_the_end(videos, tmp_path, undisturbed):
    corpus = tmp_path / "videos"
    shutil.copytree(videos, corpus)
    for name in ("hang", "crash"):
        shutil.copy(corpus / "0.mp4", corpus / f"2{name}.mp4")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TROUBLE)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    out = tmp_path / "out.h5"
    code, said = finish(start(corpus, out, "--timeout", 2, env=environment))
    assert code == 3, said
    assert "2hang.mp4: no frame for 2 s (--timeout)" in said
    assert "2crash.mp4: the worker process ended 3 times (exit code -11)" in said
    assert content(out) == undisturbed


@pytest.mark.parametrize("seed", range(2))
def test_after_a_power_cut_what_reached_the_disk_counts(videos, out, undisturbed, seed):
    """The end of the journal is lost, or its last blocks hold zeros."""
    running = start(videos, out)
    assert wait_for(running, lambda: sealed(out) >= VIDEOS - 2)
    kill(running.pid)
    finish(running)
    generator = random.Random(seed)
    data = journal_path(out).read_bytes()
    length = generator.randrange(len(data))
    zeros = generator.randrange(4096) if seed else 0
    journal_path(out).write_bytes(data[:length] + bytes(min(zeros, len(data) - length)))
    extract(videos, out)
    assert content(out) == undisturbed


def test_a_full_disk_is_told_and_with_room_again_it_goes_on(videos, tmp_path, undisturbed):
    with small_disk(tmp_path / "disk", 16) as disk:
        for kilobytes in (16, 40, 92):  # the journal, more of it, the store itself do not fit
            resize(disk, kilobytes)
            code, said = finish(start(videos, disk / "out.h5"))
            assert code == 2, said
            assert "No space left" in said
            assert "ake room" in said
            assert "Traceback" not in said
            assert not (disk / "out.h5").exists()
        resize(disk, 4000)
        extract(videos, disk / "out.h5")
        assert content(disk / "out.h5") == undisturbed
