"""Killed at random moments, and a disk that is full at random moments."""

import random
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
    workers,
)

pytestmark = pytest.mark.soak

KILLS = 30


@pytest.fixture(scope="module")
def videos(tmp_path_factory, short_clips):
    """60 short clips: a run of half a minute."""
    return many(short_clips, tmp_path_factory.mktemp("corpus") / "videos", 60)


@pytest.fixture(scope="module")
def undisturbed(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out.h5"
    extract(videos, out)
    return content(out)


def test_killed_at_random_moments(videos, tmp_path, undisturbed, report):
    """The parent or one worker, until it was often enough; the corpus begins anew when done."""
    generator, out = random.Random(1), tmp_path / "out.h5"
    kills, completed, lost = {"parent": 0, "worker": 0}, 0, 0
    running = start(videos, out)
    while sum(kills.values()) < KILLS:
        time.sleep(generator.uniform(0.1, 4))
        assert nothing_or_whole(out)
        if running.poll() is not None:
            code, said = finish(running)
            assert code == 0, said
            assert content(out) == undisturbed
            completed += 1
            out.unlink()
            running = start(videos, out)
            continue
        crew = workers(running)
        if crew and generator.random() < 0.5:
            kill(generator.choice(crew))
            kills["worker"] += 1
            continue
        kill(running.pid)
        finish(running)
        assert session_is_gone(running)
        kills["parent"] += 1
        done = sealed(out)
        running = start(videos, out)
        time.sleep(1.5)
        lost += max(0, done - sealed(out)) if not out.exists() else 0
    code, said = finish(running)
    assert code == 0, said
    assert content(out) == undisturbed
    assert lost == 0
    report(
        "`kill -9` at random moments, of the parent or of a worker",
        f"{kills['parent']} + {kills['worker']}",
        "nothing that was sealed; the points are the same",
        f"{completed + 1} corpora of 60 clips completed",
    )


def test_stopped_by_ctrl_c(videos, tmp_path, undisturbed, report):
    generator, out, waits = random.Random(2), tmp_path / "out.h5", []
    for _ in range(10):
        running = start(videos, out)
        time.sleep(generator.uniform(0.5, 3))
        if running.poll() is not None:
            break
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert finish(running)[0] == 130
        waits.append(time.monotonic() - began)
        assert session_is_gone(running)
        assert nothing_or_whole(out)
    extract(videos, out)
    assert content(out) == undisturbed
    assert max(waits) < 5
    report("Ctrl-C", len(waits), "nothing", f"ended after {max(waits):.1f} s at most")


def test_a_disk_that_is_full(videos, tmp_path, undisturbed, report):
    tries = 0
    with small_disk(tmp_path / "disk", 8) as disk:
        for kilobytes in (8, 20, 60, 100, 150, 220, 300, 420, 540, 640):
            resize(disk, kilobytes)
            code, said = finish(start(videos, disk / "out.h5"))
            if code == 0:
                break
            assert code == 2, said
            assert "No space left" in said
            assert not (disk / "out.h5").exists()
            tries += 1
        else:
            resize(disk, 20_000)
            extract(videos, disk / "out.h5")
        assert content(disk / "out.h5") == undisturbed
    assert tries >= 5
    report("full disk (tmpfs), a little larger each time", tries, "nothing", "–")
