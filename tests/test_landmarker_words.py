"""A landmarker in words, and the estimate that depends on it."""

import pytest

from poseprep.effort import seconds_a_frame
from poseprep.landmarker_words import landmarker_words, place_words

ON_CPU = {
    "name": "batched",
    "version": "1",
    "engine": {"engine": "litert", "version": "2.3.0", "precision": "float32"},
    "settings": {"track": True, "smooth": False, "second_look": {"presence": 0.5}},
}
ON_GPU = ON_CPU | {"engine": {"engine": "torch", "version": "2.8.0", "precision": "float16"}}
MEDIAPIPE = {"name": "mediapipe", "version": "0.10.21", "settings": {"smooth_landmarks": True}}


def test_engine_precision_and_what_is_switched_on_are_told():
    assert landmarker_words(ON_CPU) == "batched 1, litert 2.3.0, track"
    assert landmarker_words(ON_GPU, "/home/a/heavy.task") == (
        "batched 1, torch 2.8.0, float16, track, networks of heavy.task"
    )
    assert landmarker_words(MEDIAPIPE) == "mediapipe 0.10.21, smooth landmarks"


@pytest.mark.parametrize(
    ("said", "words"),
    [({}, "unknown"), ({"name": "test"}, "test"), ({"name": 3, "engine": [], "settings": 1}, "3")],
)
def test_whatever_a_store_says_becomes_words(said, words):
    assert landmarker_words(said) == words
    assert place_words(said) == ""


def test_where_networks_run_is_told():
    assert place_words(ON_CPU) == "on the CPU (LiteRT)"
    assert place_words(ON_GPU) == "on the GPU (torch, float16)"
    assert place_words(MEDIAPIPE) == ""


def test_a_gpus_time_is_not_guessed():
    assert seconds_a_frame(ON_GPU) is None
    alone = ON_CPU | {"settings": {"track": False}}
    assert seconds_a_frame(ON_CPU) < seconds_a_frame(alone)
    assert seconds_a_frame(MEDIAPIPE) > 0
