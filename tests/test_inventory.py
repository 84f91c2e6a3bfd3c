"""What there is to do, for videos and what is known of them."""

import os
from dataclasses import replace

import pytest

from poseprep.errors import InputError
from poseprep.find import find_videos
from poseprep.inventory import Known, check_same_corpus, shard_of, take_inventory
from poseprep.segment import Segment
from poseprep.settings import ExtractOptions
from poseprep.video_file import file_hash, file_stat


@pytest.fixture
def corpus(tmp_path):
    """Files that are called videos: their contents do not matter here."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mp4").write_bytes(name.encode() * 10)
    return tmp_path


def videos(corpus):
    return find_videos(corpus).videos


def whole(corpus):
    return {video.key: (Segment(video.key),) for video in videos(corpus)}


def everything(corpus):
    return {v.key: Known(*file_stat(v), file_hash(v), False) for v in videos(corpus)}


def take(corpus, known, **options):
    return take_inventory(videos(corpus), whole(corpus), known, ExtractOptions(**options))


def keys(inventory):
    return [video.key for video, _ in inventory.tasks]


def set_time(path, nanoseconds=10**18):
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_nothing_known_is_all_to_do(corpus):
    inventory = take(corpus, {})
    assert keys(inventory) == inventory.new == ["a.mp4", "b.mp4", "c.mp4"]


def test_everything_known_is_nothing_to_do_and_no_file_is_read(corpus):
    known = everything(corpus)
    ticks = []
    inventory = take_inventory(
        videos(corpus), whole(corpus), known, tick=lambda: ticks.append(None)
    )
    assert inventory.tasks == []
    assert inventory.done == 3
    assert len(ticks) == 3  # one for every video, none for its contents


def test_a_file_of_another_size_is_changed(corpus):
    known = everything(corpus)
    (corpus / "b.mp4").write_bytes(b"longer than before")
    inventory = take(corpus, known)
    assert keys(inventory) == inventory.changed == ["b.mp4"]


def test_of_the_same_size_but_another_time_the_content_decides(corpus):
    known = everything(corpus)
    set_time(corpus / "a.mp4")
    (corpus / "b.mp4").write_bytes(b"B" * 10)
    set_time(corpus / "b.mp4")
    inventory = take(corpus, known)
    assert keys(inventory) == inventory.changed == ["b.mp4"]
    assert inventory.moved == {"a.mp4": (10, 10**18)}


def test_a_change_that_hides_its_time_is_found_by_rehash_alone(corpus):
    set_time(corpus / "b.mp4")
    known = everything(corpus)
    (corpus / "b.mp4").write_bytes(b"B" * 10)
    set_time(corpus / "b.mp4")
    assert keys(take(corpus, known)) == []
    assert keys(take(corpus, known, rehash=True)) == ["b.mp4"]


@pytest.mark.parametrize("option", ["retry_problems", "strict"])
def test_problems_are_tried_again_when_asked_or_when_the_file_changed(corpus, option):
    known = everything(corpus)
    known["a.mp4"] = known["a.mp4"]._replace(sha256="", problem=True)
    known["b.mp4"] = known["b.mp4"]._replace(problem=True)  # cut short, and stored
    assert keys(take(corpus, known)) == []
    assert keys(take(corpus, known, **{option: True})) == ["a.mp4", "b.mp4"]
    set_time(corpus / "a.mp4")
    assert keys(take(corpus, known)) == ["a.mp4"]


def test_what_could_not_even_be_opened_is_always_tried_again(corpus):
    known = everything(corpus) | {"a.mp4": Known(0, 0, "", True)}
    inventory = take(corpus, known)
    assert keys(inventory) == inventory.again == ["a.mp4"]


def test_what_an_older_store_does_not_say_of_a_file_its_content_says(corpus):
    known = {
        key: there._replace(file_bytes=0, file_modified=0)
        for key, there in everything(corpus).items()
    }
    inventory = take(corpus, known)
    assert inventory.tasks == []
    assert set(inventory.moved) == set(known)


def test_only_the_segments_that_are_missing_are_done(corpus):
    known = everything(corpus)
    first, second = Segment("a.mp4#0.000-1.000", 0, 1), Segment("a.mp4#2.000-3.000", 2, 3)
    clips = whole(corpus) | {"a.mp4": (first, second)}
    known[first.key] = known.pop("a.mp4")
    inventory = take_inventory(videos(corpus), clips, known)
    assert [segments for _, segments in inventory.tasks] == [(second,)]
    (corpus / "a.mp4").write_bytes(b"changed")
    inventory = take_inventory(videos(corpus), clips, known)
    assert [segments for _, segments in inventory.tasks] == [(first, second)]


def test_what_nobody_asks_for_any_more_is_told(corpus):
    known = everything(corpus)
    (corpus / "c.mp4").unlink()
    inventory = take(corpus, known)
    assert inventory.without_video == ["c.mp4"]
    assert inventory.tasks == []


def test_videos_of_another_folder_do_not_get_into_a_store(corpus, tmp_path_factory):
    known = everything(corpus)
    other = tmp_path_factory.mktemp("other")
    (other / "x.mp4").touch()
    with pytest.raises(InputError, match=r"none of the 3 clips.*'a\.mp4'"):
        check_same_corpus(known, take(other, known), False, other)


def test_a_store_of_segments_asks_for_its_table(corpus):
    known = {"a.mp4#0.000-1.000": next(iter(everything(corpus).values()))}
    with pytest.raises(InputError, match="--labels"):
        check_same_corpus(known, take(corpus, known), False, corpus)


def test_every_video_is_in_one_shard_whatever_the_others_are():
    names = [f"{i}.mp4" for i in range(400)]
    parts = [shard_of(name, 4) for name in names]
    assert set(parts) == {1, 2, 3, 4}
    assert all(60 <= parts.count(part) <= 140 for part in (1, 2, 3, 4))
    assert [shard_of(name, 4) for name in reversed(names)] == parts[::-1]
    assert {shard_of(name, 1) for name in names} == {1}


@pytest.mark.parametrize("shard", ["0/4", "5/4", "4", "a/b", "/", "1/0", "-1/4"])
def test_a_shard_that_is_none_is_refused(shard):
    with pytest.raises(InputError, match="I/N"):
        ExtractOptions(shard=shard).part()
    assert replace(ExtractOptions(), shard="2/4").part() == (2, 4)


def test_a_problem_goes_with_its_video(corpus):
    known = everything(corpus) | {"gone.mp4": Known(0, 0, "", True)}
    inventory = take(corpus, known)
    assert inventory.settled == ["gone.mp4"]
    assert inventory.without_video == []
