"""The settings of extraction: what each landmarker reads, and what a store records of them."""

import inspect
from dataclasses import asdict, replace

import pytest
from click.testing import CliRunner

from poseprep.bench_parity import REFERENCES
from poseprep.errors import InputError
from poseprep.landmarkers import LANDMARKERS
from poseprep.measure import make_landmarker
from poseprep.options import check, from_dict
from poseprep.settings import (
    FACE_NAMES,
    LANDMARKER_NAMES,
    LANDMARKER_READS,
    REFERENCE_NAMES,
    ExtractOptions,
    ExtractSettings,
    check_read,
    check_same,
    read_only_by,
)
from poseprep.skeleton import FACES, HOLISTIC
from slr_toolkit.cli import main

BATCHED = ExtractSettings(landmarker="batched")


def test_names_said_twice_are_the_same():
    assert tuple(LANDMARKERS) == LANDMARKER_NAMES
    assert tuple(FACES) == FACE_NAMES
    assert tuple(REFERENCES) == REFERENCE_NAMES


@pytest.mark.parametrize("name", LANDMARKER_NAMES)
def test_a_landmarker_is_made_of_what_it_reads(name):
    said = asdict(ExtractSettings()) | asdict(ExtractOptions())
    takes = inspect.signature(LANDMARKERS[name]).parameters
    where = "shared", "elsewhere"  # not the user's to say
    assert {key: value.default for key, value in takes.items() if key not in where} == {
        key: said[key] for key in LANDMARKER_READS[name]
    }


class Given:
    """A landmarker that keeps what it was made of."""

    skeleton = HOLISTIC

    def __init__(self, **given):
        self.given = given

    def tracker(self):
        raise NotImplementedError

    def shared(self):
        raise NotImplementedError

    def describe(self):
        return {}


@pytest.mark.parametrize("name", LANDMARKER_NAMES)
def test_what_it_reads_reaches_the_landmarker(name, monkeypatch):
    monkeypatch.setitem(LANDMARKERS, name, Given)
    settings = ExtractSettings(landmarker=name, face="none", track=True)
    given = make_landmarker(settings, ExtractOptions(batch=3)).given
    assert set(given) == set(LANDMARKER_READS[name])
    assert given["face"] == "none"
    if name == "batched":
        assert (given["track"], given["batch"]) == (True, 3)


def test_a_store_records_what_its_landmarker_reads():
    # As it was before there were others: stores and journals of then go on.
    assert ExtractSettings(face="none").recorded() == {
        "landmarker": "mediapipe",
        "face": "none",
        "recover": True,
        "fps": None,
    }
    batched = ExtractSettings(landmarker="batched", track=True)
    assert batched.recorded() == asdict(batched)
    for settings in (batched, ExtractSettings()):
        assert from_dict(ExtractSettings, settings.recorded()) == settings


def test_another_landmarker_is_told_in_few_words():
    there, here = ({"settings": s.recorded()} for s in (ExtractSettings(), BATCHED))
    for one, other in ((there, here), (here, there)):
        with pytest.raises(InputError) as told:
            check_same(one, other, "out.h5")
        assert str(told.value).count(" → ") == 2  # "(there → now)", and the landmarker's name
        assert "settings.landmarker: " in str(told.value)


@pytest.mark.parametrize(
    "chosen", [{"track": True}, {"smooth": True}, {"precision": "float16"}, {"model": "a.task"}]
)
def test_what_the_landmarker_does_not_read_is_refused(chosen):
    check_read(ExtractSettings(landmarker="batched", **chosen), ExtractOptions(device="cpu"))
    with pytest.raises(InputError, match=f"--{next(iter(chosen))}.*--landmarker batched"):
        check_read(ExtractSettings(**chosen), ExtractOptions())


def test_frames_are_not_looked_at_together_where_a_person_is_followed():
    with pytest.raises(InputError, match="--batch: expected without --track"):
        check_read(replace(BATCHED, track=True), ExtractOptions(batch=4))


def test_a_batch_has_a_limit():
    with pytest.raises(InputError, match="--batch.*at most 256"):
        check(ExtractOptions(batch=257))


def made_with(model, networks):
    settings = ExtractSettings(landmarker="batched", model=model).recorded()
    of_bundle = {"of_bundle": ["pose_landmarks"]} if model else {}
    networks = {"models": {"pose_landmarks": networks}}
    return {"settings": settings, "landmarker": {**networks, **of_bundle}}


def test_the_networks_decide_and_not_where_their_bundle_lies():
    check_same(made_with("b.task", "12ab"), made_with("./sub/b.task", "12ab"), "out.h5")
    check_same(made_with("b.task", "12ab"), made_with("/elsewhere/other.task", "12ab"), "out.h5")
    check_same(made_with("", "12ab"), made_with("as_in_the_wheel.task", "12ab"), "out.h5")
    with pytest.raises(InputError, match=r"landmarker.models.pose_landmarks: 12ab → 34cd\."):
        check_same(made_with("a/b.task", "12ab"), made_with("b.task", "34cd"), "out.h5")
    with pytest.raises(InputError, match=r"now\): settings.model: a.task → not set\."):
        check_same(made_with("a.task", "12ab"), made_with("", "34cd"), "out.h5")


def test_a_store_names_the_bundle_and_not_its_place():
    assert made_with("/home/anna/b.task", "")["settings"]["model"] == "b.task"


def test_what_only_one_landmarker_reads():
    assert read_only_by("mediapipe") == ()
    assert read_only_by("batched")[:2] == ("track", "smooth")
    assert "face" not in read_only_by("batched")


@pytest.mark.parametrize("flags", [["--track"], ["--batch", "4"], ["--device", "cpu"]])
def test_the_command_says_so_before_it_begins(tmp_path, flags):
    words = ["extract", str(tmp_path), str(tmp_path / "out.h5"), *flags]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert f"{flags[0]}: expected with --landmarker batched only, found with mediapipe" in (
        result.output
    )
    assert list(tmp_path.iterdir()) == []
