import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC
from poseprep.store import POINT_STEP, KeypointStore


@pytest.fixture
def clips(make_clip):
    return [
        make_clip("hello/anna_1.mp4", frames=8, seed=1, signer="anna", split="train", sha256="ab"),
        make_clip("hello/ben_1.mp4", frames=5, seed=2, signer="ben"),
        make_clip("東京/ünï.mp4", frames=6, seed=3, sign="東京"),
    ]


@pytest.fixture
def path(clips, tmp_path):
    path = tmp_path / "out.h5"
    with KeypointStore.create(path, settings={"fps": None}, landmarker={"name": "test"}) as store:
        for clip in clips:
            store.add(clip)
        store.add_problem("broken.mp4", "the file is empty")
    return path


def test_a_clip_comes_back_as_it_was_stored(path, clips):
    with KeypointStore(path) as store:
        assert store.keys == [clip.key for clip in clips]
        for clip in clips:
            read = store.clip(clip.key)
            assert np.nanmax(np.abs(read.points - clip.points)) <= POINT_STEP / 2
            assert (np.isnan(read.points) == np.isnan(clip.points)).all()
            assert np.abs(read.confidence - clip.confidence).max() <= 0.5 / 255 + 1e-6
            assert ((read.confidence > 0) == (clip.confidence > 0)).all()
            assert (read.time == clip.time).all()
            assert (read.source == clip.source).all()
            for name in ("key", "sign", "signer", "split", "sha256", "width", "height", "fps"):
                assert getattr(read, name) == getattr(clip, name)


def test_a_part_of_the_whole_store_is_its_clips_end_to_end(path, clips):
    with KeypointStore(path) as store:
        hand = store.part("left_hand")
        ends = [store.clip(key).part("left_hand") for key in store.keys]
    assert np.array_equal(hand, np.concatenate(ends), equal_nan=True)


def test_points_by_name_come_in_the_order_asked(path):
    with KeypointStore(path) as store:
        points = store.points(["face_7", "nose", "left_hand_wrist"])
        confidence = store.confidence(["face_7", "nose", "left_hand_wrist"])
        assert np.array_equal(points[:, 1], store.part("body")[:, 0], equal_nan=True)
        assert np.array_equal(points[:, 0], store.part("face")[:, 7], equal_nan=True)
    assert (np.isnan(points[..., 0]) == (confidence == 0)).all()


def test_problems_skeleton_and_settings_come_back(path):
    with KeypointStore(path) as store:
        (problem,) = store.problems
        assert (problem.key, problem.reason) == ("broken.mp4", "the file is empty")
        assert store.skeleton.names == HOLISTIC.names
        assert (store.skeleton.edges == HOLISTIC.edges).all()
        assert store.skeleton.parts == HOLISTIC.parts
        assert store.settings == {"fps": None}
        assert store.landmarker == {"name": "test"}


def test_the_content_hash_tells_measurements_apart_and_not_labels(tmp_path, make_clip):
    def content(name, skeleton=HOLISTIC, **fields):
        clip = make_clip(**{k: v for k, v in fields.items() if k != "time"})
        clip = replace(clip, skeleton=skeleton, time=fields.get("time", clip.time))
        with KeypointStore.create(tmp_path / name, skeleton) as store:
            store.add(clip)
        with KeypointStore(tmp_path / name) as store:
            return store.content_hash()

    assert content("a.h5") == content("b.h5", sign="other", signer="x", split="test")
    assert content("a.h5") != content("c.h5", seed=1)
    assert content("a.h5") != content("d.h5", key="other.mp4")
    assert content("a.h5") != content("e.h5", time=np.arange(8) / 30)
    renamed = replace(HOLISTIC, names=("nostril", *HOLISTIC.names[1:]))
    assert content("a.h5") != content("f.h5", skeleton=renamed)


def test_an_exception_leaves_nothing_behind(tmp_path, make_clip):
    path = tmp_path / "out.h5"
    with pytest.raises(RuntimeError), KeypointStore.create(path) as store:
        store.add(make_clip())
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_the_old_store_as_it_was(path, make_clip):
    before = path.read_bytes()
    with pytest.raises(RuntimeError), KeypointStore.create(path) as store:
        store.add(make_clip())
        raise RuntimeError
    assert path.read_bytes() == before


def test_the_path_holds_nothing_until_the_store_is_complete(tmp_path, make_clip):
    path = tmp_path / "out.h5"
    with KeypointStore.create(path) as store:
        store.add(make_clip())
        assert not path.exists()
    assert path.exists()


def test_keys_must_rise(tmp_path, make_clip):
    with (
        pytest.raises(ValueError, match="keys must rise"),
        KeypointStore.create(tmp_path / "out.h5") as store,
    ):
        store.add(make_clip("b.mp4"))
        store.add(make_clip("a.mp4"))


def test_an_empty_store_opens(tmp_path):
    with KeypointStore.create(tmp_path / "out.h5"):
        pass
    with KeypointStore(tmp_path / "out.h5") as store:
        assert store.keys == []
        assert store.part("face").shape == (0, 468, 3)


def test_errors_say_what_was_found(tmp_path, path):
    with pytest.raises(InputError, match="no such file"):
        KeypointStore(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match="does not open"):
        KeypointStore(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(InputError, match="not a keypoint store"):
        KeypointStore(tmp_path / "other.h5")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = 99
    with pytest.raises(InputError, match="schema 99, this version reads 2"):
        KeypointStore(path)


def test_an_unknown_key_is_answered_with_a_near_one(path):
    with KeypointStore(path) as store, pytest.raises(InputError, match="did you mean.*anna_1"):
        store.clip("anna_1")


def test_attributes_are_json_that_other_programs_can_read(path):
    with h5py.File(path) as file:
        assert json.loads(file.attrs["landmarker"]) == {"name": "test"}
        assert json.loads(file["skeleton"].attrs["parts"])["face"] == [75, 543]
