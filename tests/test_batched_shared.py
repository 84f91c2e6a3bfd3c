"""Several processes look through one engine, and see what each would see through its own."""

import threading
from functools import partial

import numpy as np
import pytest

from poseprep.errors import EngineError, InputError
from poseprep.landmarkers.batched import shared


class Counting:
    """An engine that tells of each place the frame's mean and the place; it counts its looks."""

    def __init__(self) -> None:
        self.looks = 0

    def load(self, frames):
        return list(frames)

    def join(self, loaded):
        return [frame for frames in loaded for frame in frames]

    def look(self, network, frames, which, places):
        self.looks += 1
        if network == "face_detector":
            raise InputError("no faces here")
        means = np.array([[frames[i].mean()] for i in which], np.float32).reshape(-1, 1)
        return [means, np.asarray(places), np.full((len(which), 1), self.looks, np.float32)]


class Failing(Counting):
    def __init__(self) -> None:
        raise InputError("expected a GPU, found none")


def frames(*values: int, size: tuple[int, int] = (4, 6)) -> list[np.ndarray]:
    return [np.full((*size, 3), value, np.uint8) for value in values]


def places(*rows: int) -> np.ndarray:
    return np.array([[row] * 5 for row in rows], np.float32).reshape(-1, 5)


@pytest.fixture(scope="module")
def address():
    with shared.sharing(Counting) as found:
        yield found


def test_what_is_asked_for_comes_back_of_the_right_frames(address) -> None:
    one, other = (shared.SharedEngine(address) for _ in range(2))
    mine, theirs = one.load(frames(1, 2, 3)), other.load(frames(100, 200, size=(8, 2)))
    values, back, _ = one.look("pose_detector", mine, np.array([2, 0]), places(5, 6))
    assert values.ravel().tolist() == [3, 1]
    np.testing.assert_array_equal(back, places(5, 6))
    assert other.look("pose_detector", theirs, np.array([1]), places(1))[0].ravel().tolist() == [
        200
    ]
    assert len(one.look("pose_detector", mine, np.zeros(0, int), places())[0]) == 0


def test_larger_frames_find_room(address) -> None:
    engine = shared.SharedEngine(address)
    for size in ((2, 2), (300, 400), (3, 3)):
        number = engine.load(frames(7, 9, size=size))
        values, *_ = engine.look("pose_detector", number, np.array([0, 1]), places(0, 0))
        assert values.ravel().tolist() == [7, 9]


def test_many_at_once_get_their_own(address) -> None:
    wrong = []

    def ask(value: int) -> None:
        engine = shared.SharedEngine(address)
        for step in range(20):
            number = engine.load(frames(value, value + step))
            found, back, _ = engine.look(
                "pose_detector", number, np.array([1, 0]), places(value, step)
            )
            if found.ravel().tolist() != [value + step, value] or back[0, 0] != value:
                wrong.append((value, step))

    threads = [threading.Thread(target=ask, args=(10 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_waits_is_one_look() -> None:
    """Whoever asks, and whatever sizes their frames have."""
    engine, requests = Counting(), []
    for values in ((1, 2), (30,), (5, 6, 7)):
        asker = shared._Asker()
        asker.loads, asker.count, asker.loaded = 1, len(values), engine.load(frames(*values))
        which = np.arange(len(values))[::-1]
        requests.append(
            shared._Request(asker, shared._LOOK, (1, "pose_detector", which, places(*values)))
        )
    shared.answer_all(engine, requests)
    assert engine.looks == 1
    found = [request.asker.answers.get()[0].ravel().tolist() for request in requests]
    assert found == [[2, 1], [30], [7, 6, 5]]


def test_errors_of_the_engine_come_to_who_asked_and_others_go_on(address) -> None:
    engine = shared.SharedEngine(address)
    number = engine.load(frames(1))
    with pytest.raises(InputError, match="no faces here"):
        engine.look("face_detector", number, np.array([0]), places(1))
    with pytest.raises(EngineError, match="frames 0 are asked for, 1 are there"):
        engine.look("pose_detector", 0, np.array([0]), places(1))
    assert engine.look("pose_detector", number, np.array([0]), places(1))[0].tolist() == [[1]]


def test_an_engine_that_cannot_be_made_says_why() -> None:
    with pytest.raises(InputError, match="expected a GPU, found none"), shared.sharing(Failing):
        pass


def test_an_engine_that_has_ended_is_told_as_what_the_user_can_mend() -> None:
    with shared.sharing(Counting) as found:
        engine = shared.SharedEngine(found)
        number = engine.load(frames(1))
    with pytest.raises(InputError, match="has ended"):
        engine.look("pose_detector", number, np.array([0]), places(1))


def test_landmarks_through_a_shared_engine_are_those_of_an_own_one() -> None:
    from test_batched_holistic import SAMPLE, read, same

    from poseprep.landmarkers.batched.holistic import landmark
    from poseprep.landmarkers.batched.landmarker import make_engine
    from poseprep.landmarkers.batched.models import read_models
    from poseprep.landmarkers.batched.view import View

    video = sorted((SAMPLE / "videos").rglob("*.mp4"))[0]
    some = read(video, 3)
    make = partial(make_engine, read_models(face=True), "cpu")
    own = landmark(View.of(make(), some), face=True)
    with shared.sharing(make) as address:
        theirs = landmark(View.of(shared.SharedEngine(address), some), face=True)
    assert all(same(a, b) for a, b in zip(own, theirs, strict=True))
