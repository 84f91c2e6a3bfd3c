"""Whatever a disk or another program does to a store, `verify` tells it, and of which clips."""

import os
import random

import h5py
import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.findings import Findings
from poseprep.store import KeypointStore
from poseprep.verify import Stretch, _check, verify
from poseprep.verify_clips import ClipChecker, table_findings
from poseprep.workers import Died, TimedOut, run_tasks

KEYS = ["a.mp4", "b.mp4", "c.mp4", "long.mp4"]


@pytest.fixture
def path(make_clip, tmp_path):
    path = tmp_path / "out.h5"
    with KeypointStore.create(path, settings={"fps": 5.0}, videos=tmp_path) as store:
        for i, key in enumerate(KEYS):
            store.add(make_clip(key, frames=1100 if key == "long.mp4" else 5 + i, seed=i))
        store.add_problem("broken.mp4", "the file is empty")
    return path


def findings_of(path):
    """What `verify` tells, found in this process."""
    with KeypointStore(path, check_tables=False) as store:
        findings = table_findings(store)
        checker = ClipChecker(store)
        frames = sum(checker.check(0, len(store.keys)))
        assert frames == store.frames
        findings.join(checker.findings)
    return findings.lines()


def test_nothing_is_wrong_with_a_store_as_it_was_written(path):
    frames = []
    assert verify(path, tick=frames.append) == []
    with KeypointStore(path) as store:
        assert sum(frames) == store.frames


def test_a_store_without_clips_is_well(tmp_path):
    with KeypointStore.create(tmp_path / "out.h5"):
        pass
    assert verify(tmp_path / "out.h5") == []


def change(name, where, value):
    def apply(file):
        values = file[f"frames/{name}"]
        rows = values[:]
        rows[where] = value
        values[:] = rows

    return apply


@pytest.mark.parametrize(
    ("apply", "told"),
    [
        (change("left_hand/points", (6, 3, 1), 0.25), ""),
        (change("face/points", (0, 0, 0), np.nan), "face: NaN is not exactly where confidence"),
        (change("left_hand/points", 2, 0.0), "left_hand: NaN is not exactly where confidence"),
        (change("body/points", (0, 0, 0), 0.1), "body: points that are no multiples of 2^-15"),
        (change("body/points", (0, 0, 0), np.inf), "body: points that are no multiples of 2^-15"),
        (change("body/confidence", (0, 0), 0), "body: NaN is not exactly where confidence is 0"),
        (change("face/source", 1, 0), "face: source is not 0 exactly where all of it is missing"),
        (change("left_hand/source", 2, 1), "left_hand: source is not 0 exactly where all of it"),
        (change("face/source", 1, 7), "face: source is above 4"),
        (change("time", 1, -1.0), "time is not finite, or falls"),
        (change("time", 1, np.nan), "time is not finite, or falls"),
    ],
)
def test_frames_changed_by_another_program_are_told_with_their_clip(path, apply, told):
    with h5py.File(path, "a") as file:
        apply(file)
    found = findings_of(path)
    assert any("points_sha256" in line for line in found)
    assert any(line.startswith(told) for line in found)
    key = "b.mp4" if told == "" else "a.mp4"
    assert all(line.endswith(f"; 1 clip: {key}") for line in found)


def test_a_time_that_falls_between_the_pieces_of_a_long_clip_is_told(path):
    with KeypointStore(path) as store:
        start = int(store.starts[3])
    with h5py.File(path, "a") as file:
        change("time", slice(start + 512, None), 0.5)(file)
    assert any(line.startswith("time is not finite, or falls") for line in findings_of(path))


@pytest.mark.parametrize(
    ("apply", "told"),
    [
        (lambda file: file["clips/sign"].__setitem__(1, "other"), "tables_sha256"),
        (lambda file: file["problems/reason"].__setitem__(0, "none"), "tables_sha256"),
        (lambda file: file.attrs.__setitem__("settings", "{}"), "tables_sha256"),
        (lambda file: file.attrs.__setitem__("shard", "1/2"), "tables_sha256"),
        (lambda file: file["skeleton/mirror"].__setitem__(1, 1), "tables_sha256"),
        (lambda file: file.attrs.__delitem__("tables_sha256"), "tables_sha256 is missing"),
        (lambda file: file["clips/sha256"].__setitem__(1, "no"), "sha256 is no SHA-256; 1 clip: b"),
        (lambda file: file["clips/start"].__setitem__(1, 4), "do not lie end to end"),
    ],
)
def test_tables_changed_by_another_program_are_told_and_not_opened(path, apply, told):
    with h5py.File(path, "a") as file:
        apply(file)
    assert any(told in line for line in verify(path))
    with pytest.raises(InputError, match="damaged, or changed|is missing|end to end"):
        KeypointStore(path)


def test_a_damaged_chunk_hides_no_other(path):
    with h5py.File(path) as file:
        chunk = file["frames/face/points"].id.get_chunk_info(0)
        source = file["frames/body/source"].id.get_chunk_info(1)
        rows = file["frames/face/points"].chunks[0]
    data = bytearray(path.read_bytes())
    for place in (chunk, source):
        data[place.byte_offset + place.size // 2] ^= 1
    path.write_bytes(data)
    assert rows < 1024
    assert sorted(verify(path)) == [
        "/frames/body/source is damaged and cannot be read; 1 clip: long.mp4",
        "/frames/face/points is damaged and cannot be read; 4 clips: " + ", ".join(KEYS),
    ]


def test_a_flipped_byte_anywhere_in_the_frames_is_found(path):
    """Whatever byte of whatever chunk; HDF5 checks each with Fletcher-32."""
    places = []
    with h5py.File(path) as file:

        def note(name, item):
            if isinstance(item, h5py.Dataset) and item.chunks:
                for i in range(item.id.get_num_chunks()):
                    chunk = item.id.get_chunk_info(i)
                    places.append((name, chunk.byte_offset, chunk.size))

        file.visititems(note)
    whole, choose = path.read_bytes(), random.Random(0)
    for name, offset, size in choose.choices(places, k=20):
        data = bytearray(whole)
        data[offset + choose.randrange(size)] ^= 1 << choose.randrange(8)
        path.write_bytes(data)
        assert any(name in line for line in findings_of(path)), name


def read_and_verify():
    """A worker's task: what anybody reads in a file (None: nobody can), and what is found."""
    return _read_and_verify


def _read_and_verify(path):
    try:
        read = everything_in(path)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):
        read = None
    *_, head = _check(Stretch(path))
    findings = head.findings
    if head.keys:
        *_, of_clips = _check(Stretch(path, 0, len(head.keys)))
        findings.join(of_clips)
    yield read, findings.lines()


def everything_in(path):
    """Name → value of every attribute and dataset."""
    found = {}
    with h5py.File(path) as file:

        def note(name, item):
            found.update({f"{name}@{key}": str(value) for key, value in item.attrs.items()})
            if isinstance(item, h5py.Dataset):
                values = item[()]
                found[name] = values.tolist() if values.dtype == object else values.tobytes()

        note("", file)
        file.visititems(note)
    return found


def test_a_flipped_byte_anywhere_in_the_file_is_found_or_changes_nothing(make_clip, tmp_path):
    """In tables, attributes and HDF5's own structures, too. HDF5 may crash: that is a finding."""
    path, choose = tmp_path / "out.h5", random.Random(0)
    with KeypointStore.create(path, settings={"fps": 5.0}, videos=tmp_path) as store:
        store.add(make_clip(frames=4))
    whole, whole_read = path.read_bytes(), everything_in(path)
    flipped = []
    for place in choose.sample(range(len(whole)), k=60):
        data = bytearray(whole)
        data[place] ^= 1 << choose.randrange(8)
        flipped.append(tmp_path / f"{place}.h5")
        flipped[-1].write_bytes(data)
    missed = []
    for report in run_tasks(read_and_verify, flipped, 1, timeout=60):
        crashed = isinstance(report.value, Died | TimedOut)
        read, found = (None, ["a crash"]) if crashed else report.value
        if read != whole_read and not found:
            missed.append(flipped[report.task].name)
    assert missed == []


def test_what_the_reader_has_no_need_of_is_read_too(path):
    with h5py.File(path, "a") as file:
        file.create_dataset("notes/mine", data=np.arange(100), chunks=(10,), fletcher32=True)
        place = file["notes/mine"].id.get_chunk_info(3).byte_offset
    assert findings_of(path) == []
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    (line,) = findings_of(path)
    assert line.startswith("/notes/mine is damaged and cannot be read")


def crash():
    return lambda task: os._exit(7)


def test_a_file_that_crashes_whoever_reads_it_is_told(path, monkeypatch):
    monkeypatch.setattr("poseprep.verify._checker", crash)
    (line,) = verify(path)
    assert line == "opening it crashes HDF5 (exit code 7); the file is damaged"


def test_a_file_that_is_no_store_is_told(tmp_path):
    with pytest.raises(InputError, match="found no file"):
        verify(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("hello")
    (line,) = verify(tmp_path / "text.h5")
    assert "does not open" in line


def test_of_many_findings_the_first_are_told():
    findings = Findings()
    for i in range(50):
        findings.add(f"odd in the way {i}")
    assert findings.lines()[19:] == ["odd in the way 19", "and 30 more"]


def test_of_many_clips_a_few_are_named():
    findings = Findings()
    findings.add("odd", *(str(i) for i in range(1000)))
    (line,) = findings.lines()
    assert line == "odd; 1,000 clips: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more"
