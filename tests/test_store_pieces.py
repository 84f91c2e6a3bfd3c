"""Long clips pass through in pieces, and leave no trace of where they were cut."""

import hashlib
import tracemalloc
from dataclasses import replace

import h5py
import numpy as np
import pytest
from conftest import SAMPLE

from poseprep.errors import InputError
from poseprep.skeleton import FACES, HOLISTIC
from poseprep.store import KeypointStore


@pytest.fixture
def clip(make_clip):
    return make_clip("long.mp4", frames=2100)


def cut(clip, *ends):
    """The clip in pieces that end there."""
    names = ("points", "confidence", "time", "source")
    for start, end in zip((0, *ends), (*ends, len(clip.time)), strict=True):
        yield replace(clip, **{name: getattr(clip, name)[start:end] for name in names})


def frames_of(path):
    """Name → rows and chunks, byte for byte, of everything below /frames."""
    found = {}
    with h5py.File(path) as file:

        def note(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = item[:].tobytes(), item.chunks, item.id.get_storage_size()

        file["frames"].visititems(note)
    return found


@pytest.mark.parametrize(
    "ends", [(1,), (1023, 1024, 1025), (700, 1400), tuple(range(50, 2100, 50))]
)
def test_a_clip_in_pieces_is_the_clip_whole(clip, make_clip, tmp_path, ends):
    for name, pieces in (("whole.h5", [clip]), ("pieces.h5", cut(clip, *ends))):
        with KeypointStore.create(tmp_path / name) as store:
            store.add(make_clip("a.mp4"))
            digest = store.add_pieces(pieces)
        with KeypointStore(tmp_path / name) as store:
            assert store.columns["points_sha256"][1] == digest
            content = store.content_hash()
    assert frames_of(tmp_path / "whole.h5") == frames_of(tmp_path / "pieces.h5")
    with KeypointStore(tmp_path / "whole.h5") as store:
        assert store.content_hash() == content


def test_reading_in_pieces_gives_the_clip(clip, make_clip, tmp_path):
    with KeypointStore.create(tmp_path / "out.h5") as store:
        for each in (make_clip("a.mp4"), clip, make_clip("z.mp4")):
            store.add(each)
    with KeypointStore(tmp_path / "out.h5") as store:
        pieces, whole = list(store.pieces("long.mp4", frames=1000)), store.clip("long.mp4")
        with pytest.raises(InputError, match="no clip 'other.mp4'"):
            next(store.pieces("other.mp4"))
    assert [len(piece.time) for piece in pieces] == [1000, 1000, 100]
    for name in ("points", "confidence", "time", "source"):
        together = np.concatenate([getattr(piece, name) for piece in pieces])
        assert np.array_equal(together, getattr(whole, name), equal_nan=True)


def test_memory_does_not_grow_with_the_length_of_a_clip(make_clip, tmp_path):
    piece = make_clip("long.mp4", frames=500)

    def peak(count):
        tracemalloc.start()
        with KeypointStore.create(tmp_path / "out.h5") as store:
            store.add_pieces(replace(piece, time=piece.time + 20 * i) for i in range(count))
        with KeypointStore(tmp_path / "out.h5") as store:
            assert sum(len(each.time) for each in store.pieces("long.mp4", 500)) == count * 500
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(9) < 1.1 * peak(4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "other.mp4"}, "does not go on with"),
        ({"time": np.zeros(8)}, "does not go on with"),
        ({"skeleton": replace(HOLISTIC, names=("x", *HOLISTIC.names[1:]))}, "skeleton is not"),
    ],
)
def test_pieces_that_do_not_go_on_are_refused_and_nothing_is_left(
    make_clip, tmp_path, change, message
):
    clip = make_clip()
    follows = replace(clip, time=clip.time + 1)
    with (
        pytest.raises(ValueError, match=message),
        KeypointStore.create(tmp_path / "out.h5") as store,
    ):
        store.add_pieces([clip, replace(follows, **change)])
    assert list(tmp_path.iterdir()) == []


def test_points_sha256_is_what_the_format_says(clip, tmp_path):
    with KeypointStore.create(tmp_path / "out.h5") as store:
        digest = store.add(clip)
    names = [f"{p}/{n}" for p in HOLISTIC.parts for n in ("points", "confidence", "source")]
    with h5py.File(tmp_path / "out.h5") as file:
        parts = [hashlib.sha256(file["frames"][name][:]).digest() for name in ("time", *names)]
    assert hashlib.sha256(b"".join(parts)).hexdigest() == digest


def test_every_missing_point_is_the_same_nan(clip, tmp_path):
    other = clip.points.copy()
    other.view(np.uint32)[np.isnan(other)] = 0xFFC00001
    digests = []
    for i, points in enumerate((clip.points, other)):
        with KeypointStore.create(tmp_path / f"{i}.h5") as store:
            digests.append(store.add(replace(clip, points=points)))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("face", FACES)
def test_points_by_name_are_the_same_from_any_skeleton_in_any_order(clip, tmp_path, face):
    kept = HOLISTIC.indices(FACES[face])
    skeleton = HOLISTIC.select(FACES[face])
    small = replace(
        clip,
        skeleton=skeleton,
        points=clip.points[:, kept],
        confidence=clip.confidence[:, kept],
        source=clip.source[:, : len(skeleton.parts)],
    )
    with KeypointStore.create(tmp_path / "out.h5", skeleton) as store:
        store.add(small)
    with KeypointStore(tmp_path / "out.h5") as store:
        for names in (
            ["right_hand_wrist", "nose", "left_hand_wrist", "left_ear"],
            skeleton.names[10:40],
            skeleton.names[40:10:-1],
        ):
            rounded = np.round(clip.points[:, HOLISTIC.indices(names)] * 2**15) / 2**15
            assert np.array_equal(store.points(names), rounded, equal_nan=True)
            assert store.confidence(names).shape == rounded.shape[:2]


def test_the_sample_takes_less_than_4_kb_a_frame():
    path = SAMPLE / "truth.h5"
    with KeypointStore(path) as store:
        assert path.stat().st_size / store.frames < 4000


def test_where_the_labels_are_from_which_part_it_is_and_the_files_come_back(make_clip, tmp_path):
    path = tmp_path / "out.h5"
    with KeypointStore.create(path, labels_from="table", shard="3/16") as store:
        store.add(make_clip(file_bytes=2**40, file_modified=10**18))
        store.add_problem("x.mp4", "empty", 5, 6, when="2020-01-01T00:00:00+00:00")
    with KeypointStore(path) as store:
        assert (store.labels_from, store.shard) == ("table", "3/16")
        clip, (problem,) = store.clip("hello/anna_1.mp4"), store.problems
    assert (clip.file_bytes, clip.file_modified) == (2**40, 10**18)
    assert (problem.file_bytes, problem.file_modified, problem.when[:4]) == (5, 6, "2020")
