"""The journal: whatever cuts it short, what was sealed is there."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.journal import MAGIC, Journal, journal_path
from poseprep.outcome import ClipHead, Outcome
from poseprep.piece import Frames, pack, unpack
from poseprep.store import POINT_STEP

HEAD = {"settings": {"face": "full"}}


def head(key, pieces=2, frames=10):
    return ClipHead(key, pieces, frames, 64, 48, 25.0, "ab" * 32, 1000, 5)


def write_two(out):
    """Two videos sealed, one of them cut into two clips, and the beginning of a third."""
    with Journal(out, HEAD) as journal:
        journal.add_piece("a.mp4", 0, b"one")
        journal.add_piece("b.mp4#0.000-1.000", 0, b"seven")
        journal.add_piece("a.mp4", 1, b"two")
        journal.seal(Outcome("a.mp4", [head("a.mp4")], {"a.mp4": "cut"}, 1000, 5, "now"))
        journal.add_piece("b.mp4#2.000-end", 0, b"eight")
        clips = [head("b.mp4#0.000-1.000", 1), head("b.mp4#2.000-end", 1)]
        journal.seal(Outcome("b.mp4", clips, {}, 1000, 5, "now"))
        journal.add_piece("c.mp4", 0, b"lost")


def read(out):
    with Journal(out, HEAD) as journal:
        return {
            clip.key: b" ".join(journal.pieces(clip))
            for outcome in journal.outcomes.values()
            for clip in outcome.clips
        }


ALL = {"a.mp4": b"one two", "b.mp4#0.000-1.000": b"seven", "b.mp4#2.000-end": b"eight"}


def test_what_was_sealed_comes_back(tmp_path):
    write_two(tmp_path / "out.h5")
    assert read(tmp_path / "out.h5") == ALL
    with Journal(tmp_path / "out.h5", HEAD) as journal:
        assert journal.resumed
        assert journal.outcomes["a.mp4"].problems == {"a.mp4": "cut"}
        assert journal.outcomes["a.mp4"].when == "now"


def test_cut_off_anywhere_it_holds_what_was_sealed_before(tmp_path):
    out = tmp_path / "out.h5"
    write_two(out)
    data = journal_path(out).read_bytes()
    sealed = []
    for length in range(len(data) + 1):
        journal_path(out).write_bytes(data[:length])
        found = read(out)
        assert found.items() <= ALL.items()
        sealed.append(len(found))
    assert sealed == sorted(sealed)
    assert set(sealed) == {0, 1, 3}


@pytest.mark.parametrize("cut", [0, 30, 200])
def test_it_goes_on_after_a_cut(tmp_path, cut):
    out = tmp_path / "out.h5"
    write_two(out)
    os.truncate(journal_path(out), journal_path(out).stat().st_size - cut)
    with Journal(out, HEAD) as journal:
        journal.add_piece("d.mp4", 0, b"four")
        journal.seal(Outcome("d.mp4", [head("d.mp4", 1)]))
    assert read(out)["d.mp4"] == b"four"


def test_a_flipped_byte_costs_its_video_and_nothing_false_comes_back(tmp_path):
    out = tmp_path / "out.h5"
    write_two(out)
    data = journal_path(out).read_bytes()
    for at in range(8, len(data), 7):
        journal_path(out).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        if at < len(MAGIC) + 100:  # its head says how it was made; without one it is worth nothing
            continue
        assert read(out).items() <= ALL.items()
    at = data.index(b"two")
    journal_path(out).write_bytes(data[:at] + b"TWO" + data[at + 3 :])
    assert read(out) == {key: ALL[key] for key in ALL if key != "a.mp4"}


def test_a_video_begun_anew_leaves_nothing_of_the_first_try(tmp_path):
    out = tmp_path / "out.h5"
    with Journal(out, HEAD) as journal:
        for piece in (b"old", b"older", b"oldest"):
            journal.add_piece("a.mp4", (b"old", b"older", b"oldest").index(piece), piece)
        journal.add_piece("a.mp4", 0, b"new")
        journal.add_piece("a.mp4", 1, b"newer")
        journal.seal(Outcome("a.mp4", [head("a.mp4")]))
        journal.add_piece("a.mp4", 0, b"a third try, cut short")
    assert read(out) == {"a.mp4": b"new newer"}


def test_other_settings_are_refused_and_the_difference_is_shown(tmp_path):
    write_two(tmp_path / "out.h5")
    with pytest.raises(InputError, match=r"settings\.face: full → none.*--overwrite"):
        Journal(tmp_path / "out.h5", {"settings": {"face": "none"}})
    assert read(tmp_path / "out.h5") == ALL


def test_begun_anew_nothing_of_before_is_left(tmp_path):
    write_two(tmp_path / "out.h5")
    with Journal(tmp_path / "out.h5", HEAD, anew=True) as journal:
        assert not journal.resumed
        assert journal.outcomes == {}
    with Journal(tmp_path / "out.h5", HEAD, anew=True) as journal:
        assert journal.resumed  # it was begun so: now the same command continues
    (tmp_path / "out.h5").touch()
    with Journal(tmp_path / "out.h5", HEAD, anew=True) as journal:
        assert not journal.resumed  # another store lies there now


def test_a_file_that_is_no_journal_is_left_alone(tmp_path):
    journal_path(tmp_path / "out.h5").write_text("my notes")
    with pytest.raises(InputError, match="in the way"):
        Journal(tmp_path / "out.h5", HEAD)
    assert journal_path(tmp_path / "out.h5").read_text() == "my notes"


def test_two_at_once_the_second_is_refused(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from poseprep.journal import Journal\n"
        f"journal = Journal(Path(sys.argv[1]), {HEAD!r}); print('locked', flush=True)\n"
        "time.sleep(60)"
    )
    out = tmp_path / "out.h5"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(InputError, match="another `slr extract` is writing it"):
            Journal(out, HEAD)
        other.send_signal(signal.SIGKILL)
        other.wait()
    with Journal(out, HEAD) as journal:  # the lock died with its holder
        assert journal.resumed


def test_a_full_disk_is_told_and_what_was_sealed_stays(tmp_path, monkeypatch):
    out = tmp_path / "out.h5"
    write_two(out)
    journal = Journal(out, HEAD)

    class Full:
        """A disk that takes half of what it is given."""

        def __init__(self, file):
            self._file, self._room = file, 300

        def write(self, data):
            if self._room <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken = self._file.write(data[: self._room])
            self._room -= taken
            return taken

        def __getattr__(self, name):
            return getattr(self._file, name)

    monkeypatch.setattr(journal, "_file", Full(journal._file))
    with pytest.raises(InputError, match="No space left.*run the same command again"):
        for number in range(10):
            journal.add_piece("d.mp4", number, bytes(100))
    journal.close()
    assert read(out) == ALL


def test_a_piece_comes_back_rounded_once():
    random = np.random.default_rng(0)
    points = random.uniform(-1, 2, (7, 5, 3)).astype(np.float32)
    points[2, 1] = np.nan
    frames = Frames(
        np.arange(7) / 25,
        points,
        random.uniform(0, 1, (7, 5)).astype(np.float32),
        random.integers(0, 3, (7, 2)).astype(np.uint8),
    )
    again = unpack(pack(frames))
    assert np.array_equal(again.time, frames.time)
    assert np.array_equal(again.confidence, frames.confidence)
    assert np.array_equal(again.source, frames.source)
    assert np.nanmax(np.abs(again.points - points)) <= POINT_STEP / 2 + 1e-7
    assert pack(again) == pack(frames)


def test_a_damaged_piece_is_told():
    data = pack(Frames(*(np.zeros(s, t) for s, t in _SHAPES)))
    with pytest.raises(InputError, match="damaged"):
        unpack(data[:-3])


_SHAPES = (
    ((3,), np.float64),
    ((3, 5, 3), np.float32),
    ((3, 5), np.float32),
    ((3, 2), np.uint8),
)


def test_zeros_after_any_record_are_no_record(tmp_path):
    """As a power cut leaves them: the file has its length, and not its content."""
    out = tmp_path / "out.h5"
    write_two(out)
    data = journal_path(out).read_bytes()
    whole, ends = len(MAGIC), []
    while whole < len(data):
        whole += 12 + int.from_bytes(data[whole : whole + 8], "little")
        ends.append(whole)
    for end in ends[1:]:
        for zeros in (1, 11, 12, 13, 16, 64, 4096):
            journal_path(out).write_bytes(data[:end] + bytes(zeros))
            assert read(out).items() <= ALL.items()
    assert read(out) == ALL


def test_a_journal_that_is_removed_is_this_runs_own(tmp_path):
    out = tmp_path / "out.h5"
    first = Journal(out, HEAD)
    first.remove()
    second = Journal(out, HEAD)
    first.remove()
    assert journal_path(out).exists()
    second.close()
    first.close()
