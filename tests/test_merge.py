import hashlib
import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.merge import merge
from poseprep.skeleton import FACES, HOLISTIC
from poseprep.store import KeypointStore

KEYS = [f"sign{i % 3}/{i:02}.mp4" for i in range(12)]


@pytest.fixture
def make_store(make_clip, tmp_path):
    """A store of random clips whose points follow from their keys."""

    def make(name, keys=(), problems=(), seed=0, sign="hello", **head):
        path = tmp_path / name
        (tmp_path / "videos").mkdir(exist_ok=True)
        head = {"settings": {"face": "full", "fps": None}, "videos": tmp_path / "videos", **head}
        with KeypointStore.create(path, **head) as store:
            for key in sorted(keys):
                number = KEYS.index(key) if key in KEYS else 50
                store.add(make_clip(key, frames=5 + number, seed=seed + number, sign=sign))
            for key in problems:
                store.add_problem(key, f"{name} could not read it", 7, 8)
        return path

    return make


@pytest.fixture
def shards(make_store):
    return [make_store(f"{i}.h5", KEYS[i - 1 :: 4], shard=f"{i}/4") for i in (1, 2, 3, 4)]


def frames_of(path):
    with h5py.File(path) as file:
        return {
            f"{part}/{name}": dataset[:].tobytes()
            for part, group in file["frames"].items()
            for name, dataset in ([("", group)] if part == "time" else group.items())
        }


def columns_of(path):
    with KeypointStore(path) as store:
        return {name: column.tolist() for name, column in store.columns.items()}


def test_shards_merge_to_what_one_extraction_would_have_made(make_store, shards, tmp_path):
    whole, out, ticks = make_store("whole.h5", KEYS), tmp_path / "out.h5", []
    merged = merge(shards[::-1], out, tick=ticks.append)
    assert frames_of(out) == frames_of(whole)
    assert columns_of(out) == columns_of(whole)
    with KeypointStore(out) as store, KeypointStore(whole) as other:
        assert store.content_hash() == other.content_hash()
        assert (store.settings, store.landmarker) == (other.settings, other.landmarker)
        assert store.videos_folder().resolve() == tmp_path / "videos"
        assert store.shard == ""
    assert (merged.clips, merged.frames, merged.duplicates) == (12, sum(ticks), 0)
    assert merged.frames == store.frames
    assert merged.missing_shards == []


def test_a_long_clip_goes_through_in_pieces_that_leave_no_trace(make_clip, tmp_path):
    path, out, ticks = tmp_path / "long.h5", tmp_path / "out.h5", []
    with KeypointStore.create(path) as store:
        store.add(make_clip("long.mp4", frames=2500))
    merge([path], out, tick=ticks.append)
    assert frames_of(out) == frames_of(path)
    assert columns_of(out) == columns_of(path)
    assert max(ticks) <= 1024


def test_shards_that_were_not_given_are_told(shards, tmp_path):
    merged = merge([shards[0], shards[2]], tmp_path / "out.h5")
    assert merged.missing_shards == ["2/4", "4/4"]
    assert merged.clips == 6


def test_shards_of_two_divisions_do_not_fit(make_store, shards, tmp_path):
    other = make_store("other.h5", KEYS[:1], shard="1/3")
    with pytest.raises(InputError, match=r"1\.h5 is shard 1/4 and .*other\.h5 is shard 1/3"):
        merge([shards[0], other], tmp_path / "out.h5")


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ({"settings": {"face": "none", "fps": None}}, "settings.face: full → none"),
        ({"landmarker": {"version": "2"}}, "landmarker.version: not set → 2"),
        (
            {"skeleton": HOLISTIC.select(FACES["none"])},
            "skeleton.face: 468 points → not set",
        ),
        (
            {"skeleton": replace(HOLISTIC, names=("nostril", *HOLISTIC.names[1:]))},
            "skeleton.names: ",
        ),
    ],
)
def test_stores_made_in_different_ways_are_never_mixed(make_store, tmp_path, head, told):
    one, other = make_store("one.h5", KEYS[:1]), make_store("other.h5", **head)
    with pytest.raises(InputError, match=r"one\.h5 and .*other\.h5") as error:
        merge([one, other], tmp_path / "out.h5")
    assert told in str(error.value)
    assert not (tmp_path / "out.h5").exists()


def test_a_clip_in_two_stores_is_kept_once_with_the_first_ones_label(make_store, tmp_path):
    one = make_store("one.h5", KEYS[:3], sign="first")
    other = make_store("other.h5", KEYS[2:5], sign="second")
    merged = merge([one, other], tmp_path / "out.h5")
    assert (merged.clips, merged.duplicates) == (5, 1)
    signs = dict(zip(*map(columns_of(tmp_path / "out.h5").get, ("key", "sign")), strict=True))
    assert [signs[key] for key in KEYS[:5]] == ["first"] * 3 + ["second"] * 2


def test_one_key_with_different_points_is_refused(make_store, tmp_path):
    one, other = make_store("one.h5", KEYS[:3]), make_store("other.h5", KEYS[2:3], seed=100)
    with pytest.raises(InputError, match=rf"{KEYS[2]}: .*one\.h5 and .*other\.h5 hold different"):
        merge([one, other], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def as_schema_1(path):
    """The store as schema 1 had it: other digests, and nothing that came later."""
    with KeypointStore(path) as store:
        clips = list(store.clips())
    with h5py.File(path, "a") as file:
        for row, clip in enumerate(clips):
            digest = hashlib.sha256(clip.time.astype("<f8").tobytes())
            for part in HOLISTIC.parts:
                digest.update(clip.part(part).astype("<f4").tobytes())
            file["clips/points_sha256"][row] = digest.hexdigest()
        file.attrs["schema"] = 1
        for table in ("clips", "problems"):
            del file[table]["file_bytes"], file[table]["file_modified"]
        for name in ("tables_sha256", "labels", "shard"):
            file.attrs.pop(name, None)


def test_a_store_of_schema_1_merges_with_one_of_schema_2(make_store, tmp_path):
    old, new = make_store("old.h5", KEYS[:3]), make_store("new.h5", KEYS[2:])
    as_schema_1(old)
    merged = merge([old, new], tmp_path / "out.h5")
    assert (merged.clips, merged.duplicates) == (12, 1)
    whole = make_store("whole.h5", KEYS)
    assert frames_of(tmp_path / "out.h5") == frames_of(whole)
    with KeypointStore(tmp_path / "out.h5") as store, KeypointStore(whole) as other:
        assert store.content_hash() == other.content_hash()


def test_problems_are_joined_except_what_another_store_holds(make_store, tmp_path):
    one = make_store("one.h5", KEYS[:2], problems=[KEYS[4], "broken.mp4", KEYS[1]])
    other = make_store("other.h5", KEYS[4:5], problems=["broken.mp4", "folder/"])
    merged = merge([one, other], tmp_path / "out.h5")
    with KeypointStore(tmp_path / "out.h5") as store:
        # A clip may have a problem beside it: its video has changed, and cannot be read now.
        assert [p.key for p in store.problems] == sorted([KEYS[1], "broken.mp4", "folder/"])
        assert {(p.file_bytes, p.file_modified) for p in store.problems} == {(7, 8)}
    assert merged.problems == 3


def test_where_the_videos_are_and_whence_the_labels_is_kept_if_all_agree(make_store, tmp_path):
    (tmp_path / "deep").mkdir()
    one = make_store("deep/one.h5", KEYS[:1], labels_from="table")
    same = make_store("same.h5", KEYS[1:2], labels_from="table")
    other = make_store("other.h5", KEYS[2:3], labels_from="folders", videos=tmp_path / "deep")
    merge([one, same], tmp_path / "out.h5")
    with KeypointStore(tmp_path / "out.h5") as store:
        assert store.labels_from == "table"
        assert store.videos_folder().resolve() == tmp_path / "videos"
    merge([one, other], tmp_path / "out.h5", overwrite=True)
    with KeypointStore(tmp_path / "out.h5") as store:
        assert store.labels_from == ""
        with pytest.raises(InputError, match="where its videos are"):
            store.videos_folder()


def test_out_is_a_new_file_ending_in_h5_unless_a_store_may_be_overwritten(make_store, tmp_path):
    one, out = make_store("one.h5", KEYS[:2]), tmp_path / "out.h5"
    with pytest.raises(InputError, match=r"ending in \.h5"):
        merge([one], tmp_path / "out")
    with pytest.raises(InputError, match="one of the stores to merge"):
        merge([one], tmp_path / "videos" / ".." / "one.h5", overwrite=True)
    with pytest.raises(InputError, match="none"):
        merge([], out)
    out.write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="already there"):
            merge([one], out, overwrite)
    assert out.read_text() == "precious"
    make_store("out.h5", KEYS[5:])
    with pytest.raises(InputError, match="--overwrite"):
        merge([one], out)
    assert merge([one], out, overwrite=True).clips == 2


def test_an_unfinished_extraction_to_out_is_not_disturbed(make_store, tmp_path):
    one = make_store("one.h5", KEYS[:2])
    (tmp_path / "out.h5.partial").touch()
    with pytest.raises(InputError, match="is not finished"):
        merge([one], tmp_path / "out.h5")


def test_damage_gets_no_new_checksum(make_store, tmp_path):
    one = make_store("one.h5", KEYS[:2])
    with h5py.File(one, "a") as file:
        file["frames/time"][:] = np.arange(len(file["frames/time"]))
    with pytest.raises(InputError, match=r"one\.h5: damaged, the points of"):
        merge([one], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_settings_come_through_as_they_were(make_store, tmp_path):
    settings = {"face": "full", "fps": 12.5, "名": ["ü", {"deep": None}]}
    merge([make_store("one.h5", settings=settings)], tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert json.loads(file.attrs["settings"]) == settings
