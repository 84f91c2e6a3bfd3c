"""An extraction that goes on: after a stop, and when videos, labels or settings change."""

import os
import shutil

import pytest

from poseprep.errors import InputError
from poseprep.extract import Extraction, ExtractOptions, ExtractSettings
from poseprep.journal import journal_path
from poseprep.store import KeypointStore

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(tmp_path, short_clips):
    """Two short clips of one sign."""
    folder = tmp_path / "videos" / "flat"
    folder.mkdir(parents=True)
    for source in short_clips[:2]:
        shutil.copy(source, folder / source.name)
    return folder.parent


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def extract(videos, out, table=None, face="none", **options):
    settings = ExtractSettings(recover=False, face=face)
    options = ExtractOptions(**{"workers": 1, **options})
    with Extraction(videos, out, table, settings, options) as extraction:
        summary = extraction.run()
        return extraction.inventory, summary


def content(out):
    with KeypointStore(out) as store:
        return dict(zip(store.keys, store.columns["points_sha256"].tolist(), strict=True))


def test_a_finished_store_is_left_as_it_is(videos, out):
    extract(videos, out)
    before, stat = out.read_bytes(), out.stat()
    inventory, summary = extract(videos, out)
    assert inventory.tasks == []
    assert summary.clips == 2
    assert out.read_bytes() == before
    assert out.stat().st_ino == stat.st_ino
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.h5", "videos"]


def test_what_was_measured_before_a_stop_is_not_measured_again(videos, out, monkeypatch):
    undisturbed = out.with_name("other.h5")
    extract(videos, undisturbed)

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("poseprep.extract.write", stop)  # all measured, the store not yet written
        with pytest.raises(KeyboardInterrupt):
            extract(videos, out)
    assert not out.exists()
    assert journal_path(out).exists()
    inventory, summary = extract(videos, out)
    assert inventory.tasks == []
    assert summary.measured == 0
    assert content(out) == content(undisturbed)
    assert not journal_path(out).exists()


def test_new_changed_and_removed_videos_are_noticed(videos, out, short_clips):
    extract(videos, out)
    before = content(out)
    first, second = sorted((videos / "flat").iterdir())
    shutil.copy(second, videos / "flat" / "another.mp4")  # new
    shutil.copy(short_clips[2], first)  # changed
    second.unlink()  # removed
    inventory, summary = extract(videos, out)
    gone = f"flat/{second.name}"
    assert inventory.new == ["flat/another.mp4"]
    assert inventory.changed == [f"flat/{first.name}"]
    assert inventory.without_video == [gone]
    after = content(out)
    assert after["flat/another.mp4"] == after[gone] == before[gone]
    assert after[f"flat/{first.name}"] != before[f"flat/{first.name}"]
    assert not summary.problems
    extract(videos, out, prune=True)
    assert set(content(out)) == set(after) - {gone}


def test_a_copied_video_is_known_by_its_content(videos, out):
    extract(videos, out)
    before = content(out)
    for path in (videos / "flat").iterdir():
        os.utime(path, ns=(10**18, 10**18))
    inventory, summary = extract(videos, out)
    assert (len(inventory.moved), summary.measured) == (2, 0)
    assert content(out) == before
    inventory, _ = extract(videos, out, timeout=30)
    assert not inventory.moved  # its new time is known now


def test_a_store_from_before_there_were_other_landmarkers_goes_on(videos, out, short_clips):
    extract(videos, out)
    with KeypointStore(out) as store:  # nothing that only others read
        assert set(store.settings) == {"landmarker", "face", "recover", "fps"}
    before = content(out)
    shutil.copy(short_clips[2], videos / "flat" / "new.mp4")
    inventory, _ = extract(videos, out)
    assert inventory.new == ["flat/new.mp4"]
    assert content(out).items() > before.items()


def test_other_settings_are_refused_and_the_difference_is_shown(videos, out):
    extract(videos, out)
    before = out.read_bytes()
    with pytest.raises(InputError, match=r"settings\.face: none → contours.*--overwrite"):
        extract(videos, out, face="contours")
    assert out.read_bytes() == before
    extract(videos, out, face="contours", overwrite=True)
    with KeypointStore(out) as store:
        assert store.settings["face"] == "contours"
        assert len(store.skeleton) == 204


def test_a_problem_is_tried_again_when_its_file_changed_or_on_demand(videos, out, short_clips):
    broken = videos / "flat" / "broken.mp4"
    broken.write_bytes(b"")
    _, summary = extract(videos, out)
    assert summary.problems == {"flat/broken.mp4": "the file is empty"}
    inventory, summary = extract(videos, out)
    assert inventory.tasks == []
    assert summary.problems == {"flat/broken.mp4": "the file is empty"}
    inventory, _ = extract(videos, out, retry_problems=True)
    assert inventory.again == ["flat/broken.mp4"]
    broken.rename(broken.with_suffix(".txt"))
    _, summary = extract(videos, out)
    assert summary.problems == {}
    broken.write_bytes(b"")
    extract(videos, out)
    shutil.copy(short_clips[2], broken)
    inventory, summary = extract(videos, out)
    assert inventory.changed == ["flat/broken.mp4"]
    assert summary.problems == {}
    assert summary.clips == 3


def test_a_clip_outlives_its_video_which_broke_later(videos, out):
    extract(videos, out)
    before = content(out)
    first = min((videos / "flat").iterdir())
    first.write_bytes(b"")
    _, summary = extract(videos, out)
    assert content(out) == before
    assert (
        "the file is empty; the clip in the store is of the file as it was"
        in (summary.problems[f"flat/{first.name}"])
    )
    inventory, _ = extract(videos, out)
    assert inventory.tasks == []


def test_strict_stops_at_the_first_problem_and_goes_on_when_it_is_mended(videos, out):
    broken = videos / "a.mp4"
    broken.write_bytes(b"")
    _, summary = extract(videos, out, strict=True)
    assert summary.stopped
    assert summary.problems == {"a.mp4": "the file is empty"}
    assert not out.exists()
    broken.unlink()
    _, summary = extract(videos, out, strict=True)
    assert (summary.stopped, summary.clips, summary.problems) == (False, 2, {})


def test_segments_are_clips_of_their_own_with_the_videos_times(videos, out):
    name = min((videos / "flat").iterdir()).name
    table = out.with_name("labels.csv")
    table.write_text(
        f"clip,sign,start,end\nflat/{name},A,0.08,0.24\nflat/{name},B,0.16,\nflat/{name},C,9,10\n"
    )
    inventory, summary = extract(videos, out, table)
    assert len(inventory.tasks) == 2  # the other video has no row: it is stored whole, and told
    key = f"flat/{name}#0.080-0.240"
    with KeypointStore(out) as store:
        clip, tail = store.clip(key), store.clip(f"flat/{name}#0.160-end")
        assert (clip.sign, tail.sign) == ("A", "B")
        assert clip.time[0] == pytest.approx(0.08)
        assert clip.time[-1] < 0.24
        assert len(clip.time) == 4
        assert tail.time[0] == pytest.approx(0.16)
    assert list(summary.problems) == [f"flat/{name}#9.000-10.000"]
    before = content(out)[key]
    table.write_text(f"clip,sign,start,end\nflat/{name},A,0.08,0.24\nflat/{name},D,0.1,0.3\n")
    inventory, _ = extract(videos, out, table)
    assert [s.key for _, segments in inventory.tasks for s in segments] == [
        f"flat/{name}#0.100-0.300"
    ]
    assert content(out)[key] == before
    with pytest.raises(InputError, match="--labels"):
        extract(videos, out)


def test_labels_change_without_measuring_and_stay_where_none_are_given(videos, out):
    extract(videos, out)
    names = sorted(path.name for path in (videos / "flat").iterdir())
    table = out.with_name("labels.csv")
    table.write_text(f"clip,sign\nflat/{names[0]},HELLO\n")
    _, summary = extract(videos, out, table)
    assert summary.measured == 0
    extract(videos, out)
    with KeypointStore(out) as store:
        assert store.signs.tolist() == ["HELLO", ""]
        assert store.labels_from == "table"


def test_shards_together_are_the_whole(videos, out, short_clips):
    shutil.copy(short_clips[2], videos / "third.mp4")
    extract(videos, out)
    parts = {}
    for part in (1, 2):
        extract(videos, out.with_name(f"{part}.h5"), shard=f"{part}/2")
        found = content(out.with_name(f"{part}.h5"))
        assert not parts.keys() & found.keys()
        parts |= found
    assert parts == content(out)
    table = out.with_name("labels.csv")
    table.write_text("clip,sign\nthird.mp4,A\n")
    for part in (1, 2):  # also the one in which no row falls
        _, summary = extract(videos, out.with_name(f"{part}.h5"), table, shard=f"{part}/2")
        assert summary.measured == 0
    with pytest.raises(InputError, match="shard: 1/2 → 2/2"):
        extract(videos, out.with_name("1.h5"), shard="2/2")


def test_nothing_is_pruned_while_a_folder_cannot_be_seen(videos, out):
    extract(videos, out)
    before = out.read_bytes()
    (videos / "loop").symlink_to(videos / "loop")
    shutil.move(videos / "flat", videos.with_name("elsewhere"))
    shutil.copytree(videos.with_name("elsewhere"), videos / "other")
    with pytest.raises(InputError, match="--prune: loop.*must not be dropped"):
        extract(videos, out, prune=True)
    assert out.read_bytes() == before
