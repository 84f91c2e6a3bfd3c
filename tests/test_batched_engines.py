"""Engines look through a network as MediaPipe does: the same crop, the same numbers."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from conftest import REPOSITORY, SAMPLE

from poseprep.landmarkers.batched import heat_maps, torch_heat_maps
from poseprep.landmarkers.batched.crops import to_frame
from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.holistic import landmark
from poseprep.landmarkers.batched.litert_engine import LiteRTEngine, cut
from poseprep.landmarkers.batched.models import read_models
from poseprep.landmarkers.batched.torch_crops import cut as cut_in_torch
from poseprep.landmarkers.batched.torch_crops import upload
from poseprep.landmarkers.batched.torch_engine import TorchEngine, batches
from poseprep.landmarkers.batched.view import View
from poseprep.landmarkers.mediapipe_graph import (
    NODE_INPUT,
    NODE_OPTIONS,
    NODE_OUTPUT,
    Config,
    Graph,
    core,
    image_packet,
    message,
    rectangle_packet,
    wheel,
)
from poseprep.landmarkers.mediapipe_holistic import POSE_MODEL, _config
from poseprep.landmarkers.mediapipe_wire import field, landmarks, rectangle

# MediaPipe and newer LiteRT have the same kernels with AVX-512; with AVX2 they sum otherwise.
SAME_KERNELS = torch.backends.cpu.get_cpu_capability().startswith("AVX512")

# Where each network stands in Holistic's graph: its outputs, its frame and its place there.
POSE, HAND = "poselandmarkcpu__", "handlandmarksleftandrightcpu__"
ONE_HAND, FACE = f"{HAND}handlandmarksfromposecpu_1__", "facelandmarksfromposecpu__"
FACE_DETECTOR = f"{FACE}facedetectionshortrangebyroicpu__facedetectionshortrange__facedetection__"
STREAMS = {
    # Without a place: it looks at the whole frame.
    "pose_detector": (
        f"{POSE}posedetectioncpu__detection_tensors",
        f"{POSE}image_for_pose_detection",
        None,
    ),
    "hand_recrop": (
        f"{ONE_HAND}handrecropbyroicpu__landmark_tensors",
        "image",
        f"{HAND}left_hand_roi_from_pose",
    ),
    "hand_landmarks": (
        f"{ONE_HAND}handlandmarkcpu__output_tensors",
        "image",
        f"{HAND}left_hand_tracking_roi",
    ),
    "face_detector": (f"{FACE_DETECTOR}detection_tensors", "image", f"{FACE}face_roi_from_pose"),
    "face_landmarks": (
        f"{FACE}facelandmarkcpu__output_tensors",
        "image",
        f"{FACE}face_tracking_roi",
    ),
}
POSE_POINTS = f"{POSE}poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__all_landmarks"
# mediapipe/calculators/core/split_vector_calculator.proto, `SplitVectorCalculatorOptions`.
SPLIT_OPTIONS = 259438222


@pytest.fixture(scope="module")
def models():
    return read_models(face=True)


@pytest.fixture(scope="module")
def litert(models):
    return LiteRTEngine(models)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """A signer; the sides are powers of two, so that places in widths are exact in pixels."""
    capture = cv2.VideoCapture(str(sorted((SAMPLE / "videos").rglob("*.mp4"))[0]))
    return cv2.cvtColor(cv2.resize(capture.read()[1], (512, 256)), cv2.COLOR_BGR2RGB)


# The signer, turned, in part outside the frame; a corner; the whole frame.
PLACES = np.array(
    ((250, 130, 280, 280, 0.4), (30, 240, 90, 90, -2), (256, 128, 512, 512, 0)), np.float32
)


def one_look(streams: list[str], more: list[bytes], image: str, place: str | None):
    """MediaPipe's own graph from a frame and a place in it to some streams."""
    given, whole = tuple(name for name in (image, place) if name), _config()
    nodes = [node for node in whole.nodes if not any(whole.gives(node, name) for name in given)]
    config = Config((*nodes, *more), given, whole.side_inputs).giving(streams)
    settings = {"model_complexity": 1, "refine_face_landmarks": False, "enable_segmentation": False}
    pose = (wheel() / "modules" / POSE_MODEL).read_bytes()
    return Graph(config, streams, settings | {"pose_model": pose})


def seen(graph: Graph, frame, where, image: str, place: str | None) -> dict:
    height, width = frame.shape[:2]
    packets = {image: image_packet(frame)}
    if place:
        x, y, w, h, turn = map(float, where)
        corners = rectangle(x / width, y / height, w / width, h / height, turn)
        packets[place] = rectangle_packet(corners)
    return dict(graph(**packets))


def as_floats(tensors: str, outputs: tuple[int, ...]) -> list[bytes]:
    """Nodes that give a network's outputs as numbers, in streams named 0, 1, ..."""
    varint = b"".join(
        field(1, bytes((1 << 3, i, 2 << 3, i + 1)))  # a range: begin, end
        for i in outputs
    )
    split = [field(NODE_OUTPUT, b"tensor%d" % i) for i in outputs]
    return [
        field(2, b"SplitTensorVectorCalculator")
        + field(NODE_INPUT, tensors.encode())
        + b"".join(split)
        + field(NODE_OPTIONS, field(SPLIT_OPTIONS, varint)),
        *(
            field(2, b"TensorsToFloatsCalculator")
            + field(NODE_INPUT, b"TENSORS:tensor%d" % i)
            + field(NODE_OUTPUT, b"FLOATS:output%d" % i)
            for i in outputs
        ),
    ]


@pytest.mark.parametrize("name", STREAMS)
def test_litert_gives_the_numbers_of_mediapipe(litert, frame, name):
    tensors, image, place = STREAMS[name]
    outputs = LENSES[name].outputs
    streams = [f"output{i}" for i in outputs]
    graph = one_look(streams, as_floats(tensors, outputs), image, place)
    for where in PLACES if place else PLACES[2:]:
        found = seen(graph, frame, where, image, place)
        ours = litert.look(name, litert.load([frame]), np.zeros(1, int), where[None])
        # A detector's look also gives the numbers of anchors.
        for i, (stream, values) in enumerate(zip(streams, ours, strict=False)):
            theirs = np.array(core()._packet_getter.get_float_list(found[stream]), np.float32)
            # All but the last bits. Presence and side of a hand: older LiteRT's sigmoid is off.
            far = 5e-6 if name == "hand_landmarks" and i > 0 else 2e-6 * np.abs(theirs).max()
            if not SAME_KERNELS:
                far = 1e-5 * max(1, np.abs(theirs).max())
            np.testing.assert_allclose(values.ravel(), theirs, rtol=0, atol=far)


def test_points_of_the_body_are_refined_to_the_numbers_of_mediapipe(litert, frame):
    place = f"{POSE}pose_rect"
    graph = one_look([POSE_POINTS], [], "image", place)
    for where in PLACES[[0, 2]]:
        theirs = landmarks(message(seen(graph, frame, where, "image", place)[POSE_POINTS]), 39)
        ours, presence = litert.look("pose_landmarks", [frame], np.zeros(1, int), where[None])
        assert presence > 0.5
        # Sums of 81 sigmoids: the last bit hangs on one rounding of C's exponential in thousands.
        np.testing.assert_allclose(ours[0], theirs, rtol=0, atol=1e-6 if SAME_KERNELS else 1e-5)
        assert not SAME_KERNELS or (ours[0] == theirs).mean() > 0.95


def some_places(generator: np.random.Generator, count: int) -> np.ndarray:
    """Inside, outside and across the edge of frames of some hundred pixels; some upright."""
    low, high = (-100, -100, 3, 3, -7), (500, 500, 900, 900, 7)
    places = generator.uniform(low, high, (count, 5)).astype(np.float32)
    places[::3] = places[::3].round()
    places[::3, 4] = 0
    return places


@pytest.mark.parametrize("name", ["pose_detector", "face_landmarks"])  # a black border, an edge
def test_crops_in_torch_have_the_bits_of_opencv(name):
    lens, generator = LENSES[name], np.random.default_rng(0)
    sizes = ((240, 320), (97, 61), (400, 33), (1, 1))
    frames = [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    which, places = generator.integers(0, len(frames), 24), some_places(generator, 24)
    matrices = torch.from_numpy(to_frame(places, lens.size))
    ours = cut_in_torch(
        upload(frames, torch.device("cpu")), torch.from_numpy(which), matrices, lens
    )
    for crop, i, place in zip(ours.numpy(), which, places, strict=True):
        assert np.array_equal(crop, cut(frames[i], place, lens))


@pytest.mark.parametrize("name", ["pose_landmarks", "hand_recrop"])
def test_torch_agrees_with_litert_whatever_the_batch(models, litert, frame, name):
    """In units of the crop."""
    unit = LENSES[name].size if name == "hand_recrop" else 1
    engines = [litert, *(TorchEngine({name: models[name]}, "cpu", batch=b) for b in (1, 2))]
    frames, which = [np.ascontiguousarray(frame[:, 100:]), frame], np.array((1, 0, 1))
    places = PLACES[[0, 0, 2]]  # where nobody is, what the pose network says is noise
    found = [e.look(name, e.load(frames), which, places) for e in engines]
    for others in found[1:]:
        for ours, theirs in zip(others, found[0], strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours / unit, theirs / unit, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("precision", "atol"), [("float16", 1e-3), ("bfloat16", 1e-2)])
def test_half_precision_is_close(models, litert, frame, precision, atol):
    ours = TorchEngine({"hand_recrop": models["hand_recrop"]}, "cpu", precision, batch=3)
    (a,), (b,) = (
        e.look("hand_recrop", e.load([frame]), np.zeros(3, int), PLACES) for e in (ours, litert)
    )
    np.testing.assert_allclose(a / 256, b / 256, rtol=0, atol=atol)


def test_nothing_to_look_at_is_no_rows(models, litert):
    for engine in (litert, TorchEngine(models, "cpu", batch=1)):
        for name in models:
            found = engine.look(name, engine.load([]), np.zeros(0, int), PLACES[:0])
            assert [len(rows) for rows in found] == [0] * len(found)
            assert name != "pose_landmarks" or [x.shape for x in found] == [(0, 39, 5), (0, 1)]


def test_batches_have_one_size_and_leave_none_out():
    for count in range(40):
        parts = list(batches(count, 16))
        assert [len(numbers) for numbers, _ in parts] == [16] * -(-count // 16)
        meant = [n for numbers, kept in parts for n in numbers[:kept]]
        assert meant == list(range(count))


def test_a_heat_map_by_hand():
    """A sure cell draws a point near to it; with an unsure map, or outside, a point stays."""
    raw = np.zeros((1, 39, 5), np.float32)
    raw[0, :4, :2] = ((80, 40), (80, 40), (80, 40), (-20, 40))  # cells are 4 wide
    maps = np.full((1, 64, 64, 39), -200, np.float32)
    maps[0, 12, 19, 0] = 200  # row 12, column 19: two from row 10, column 20
    maps[0, 12, 19, 1] = -1
    maps[0, 30, 20, 2] = 200
    maps[0, 10, 0, 3] = 200
    expected = [
        (19 / 64, 12 / 64),
        (80 / 256, 40 / 256),
        (80 / 256, 40 / 256),
        (-20 / 256, 40 / 256),
    ]
    flat = raw.reshape(1, 195)
    ours = heat_maps.refined(flat, maps, 256)
    assert ours[0, :4, :2].tolist() == np.array(expected, np.float32).tolist()
    in_torch = torch_heat_maps.refined(torch.from_numpy(flat), torch.from_numpy(maps), 256)
    np.testing.assert_allclose(in_torch.numpy(), ours, rtol=0, atol=1e-6)


def test_heat_maps_in_torch_say_the_same():
    generator = np.random.default_rng(0)
    raw = generator.uniform(-30, 280, (4, 195)).astype(np.float32)
    maps = generator.normal(-2, 3, (4, 64, 64, 39)).astype(np.float32)
    ours = torch_heat_maps.refined(torch.from_numpy(raw), torch.from_numpy(maps), 256).numpy()
    np.testing.assert_allclose(ours, heat_maps.refined(raw, maps, 256), rtol=0, atol=1e-5)


def test_landmarks_by_torch_are_those_by_litert_and_of_a_frame_alone(litert, frame):
    frames = [frame, cv2.resize(frame, None, fx=1.2, fy=1.2)]
    ours = TorchEngine(read_models(face=True), "cpu", batch=2)
    theirs, both = (landmark(View.of(engine, frames), face=True) for engine in (litert, ours))
    for a, b in zip(theirs, both, strict=True):
        assert a.parts.keys() == b.parts.keys() >= {"body", "face"}
        for part in a.parts:
            np.testing.assert_allclose(a.parts[part][:, :2], b.parts[part][:, :2], atol=2e-3)
    (alone,) = landmark(View.of(ours, frames[1:]), face=True)
    for part in alone.parts:
        np.testing.assert_allclose(alone.parts[part], both[1].parts[part], atol=1e-5)


@pytest.mark.slow
def test_landmarks_in_half_precision_are_near(litert, frame):
    """All networks, in shares of the frame; a hand's points move the most."""
    ours = TorchEngine(read_models(face=True), "cpu", "float16", batch=1)
    (a,), (b,) = (landmark(View.of(engine, [frame]), face=True) for engine in (litert, ours))
    assert a.parts.keys() == b.parts.keys()
    for part in a.parts:
        np.testing.assert_allclose(a.parts[part][:, :2], b.parts[part][:, :2], atol=5e-3)


@pytest.mark.slow
def test_traced_networks_say_the_same():
    """What is compiled for a GPU, without the compiler.

    In a process of its own: tracing gives what our shape checks take for no tensor.
    """
    code = (
        "from functools import partial\n"
        "import numpy as np\n"
        "import torch\n"
        "from poseprep.landmarkers.batched.models import read_models\n"
        "from poseprep.landmarkers.batched.torch_engine import TorchEngine\n"
        "torch.compile = partial(torch.compile, backend='eager')\n"
        "models = {'hand_recrop': read_models(face=False)['hand_recrop']}\n"
        "picture = np.random.default_rng(0).integers(256, size=(300, 400, 3)).astype(np.uint8)\n"
        "places = np.array([[150, 150, 200, 200, 0.1]] * 3, np.float32)\n"
        "found = []\n"
        "for compiled in (False, True):\n"
        "    engine = TorchEngine(models, 'cpu', batch=2, compile=compiled)\n"
        "    frames = engine.load([picture])\n"
        "    found += engine.look('hand_recrop', frames, np.zeros(3, int), places)\n"
        "assert len(found[0]) == 3\n"
        "assert np.array_equal(*found)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
