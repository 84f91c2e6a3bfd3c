"""One more video is extracted as a store's were, as far as this machine can."""

from types import SimpleNamespace

import pytest
from test_batched_networks import bundle

from poseprep.errors import InputError
from poseprep.landmarkers.batched import landmarker as batched
from poseprep.landmarkers.batched.models import read_models
from poseprep.landmarkers.flatbuffer import pack, unpack
from poseprep.measure import make_landmarker
from poseprep.same_way import same_way
from poseprep.settings import ExtractOptions, ExtractSettings

ON_CPU = ExtractOptions(device="cpu")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(batched, "_sees_gpu", lambda device: False)


@pytest.fixture
def task(tmp_path):
    """A bundle with another file of the same network."""
    model = read_models(face=False)["hand_recrop"]
    return bundle(tmp_path / "hand.task", hand=pack(unpack(model.data, "")))


def recorded(**chosen):
    settings = ExtractSettings(landmarker="batched", face="none", **chosen)
    return settings.recorded(), make_landmarker(settings, ON_CPU).describe()


def test_mediapipes_store_is_followed_to_the_letter():
    settings = ExtractSettings(face="none", recover=False)
    way = same_way(settings.recorded(), make_landmarker(settings).describe())
    assert way == (settings, ExtractOptions(), [])


def test_a_store_of_litert_is_followed_on_a_cpu():
    way = same_way(*recorded(track=True))
    assert way.settings == ExtractSettings(landmarker="batched", face="none", track=True)
    assert way.options == ON_CPU
    assert way.notes == []


def test_what_only_a_gpu_can_do_is_done_as_near_as_can_be_and_told():
    settings, landmarker = recorded()
    settings |= {"precision": "float16"}
    landmarker |= {"engine": {"engine": "torch", "version": "2.8.0", "precision": "float16"}}
    way = same_way(settings, landmarker)
    assert way.settings.precision == "float32"
    (note,) = way.notes
    assert "found on the GPU (torch, float16), this video's on the CPU (LiteRT)" in note
    make_landmarker(way.settings, way.options)


def test_what_was_compiled_is_not_compiled_again_for_one_video_and_told(monkeypatch):
    settings, landmarker = recorded()
    engine = {"engine": "torch", "version": "2.8.0", "precision": "float16"}
    landmarker |= {"engine": {**engine, "compiled": True}}
    settings |= {"precision": "float16"}
    there = SimpleNamespace(describe=lambda: {**landmarker, "engine": engine})
    monkeypatch.setattr("poseprep.same_way.make_landmarker", lambda *_: there)
    way = same_way(settings, landmarker)
    assert (way.settings.precision, way.options.compile) == ("float16", False)
    (note,) = way.notes
    assert "(torch, float16, compiled), this video's on the GPU (torch, float16)" in note


def test_a_bundle_is_asked_for_and_known_by_its_networks(task, tmp_path):
    settings, landmarker = recorded(model=str(task))
    with pytest.raises(InputError, match=r"hand\.task; say with --model"):
        same_way(settings, landmarker)
    moved = task.rename(tmp_path / "moved.task")
    way = same_way(settings, landmarker, str(moved))
    assert way.settings.model == str(moved)
    other = bundle(tmp_path / "b.task", hand=read_models(face=False)["hand_recrop"].data)
    with pytest.raises(InputError, match=r"networks of hand.task.*found others; give that bundle"):
        same_way(settings, landmarker, str(other))
    with pytest.raises(InputError, match="installed MediaPipe.*leave --model out"):
        same_way(*recorded(), str(moved))


def test_a_bundle_for_a_store_that_needs_none_is_refused():
    settings = ExtractSettings()
    with pytest.raises(InputError, match="--model: .* one of mediapipe; leave"):
        same_way(settings.recorded(), {"name": "mediapipe"}, "a.task")
