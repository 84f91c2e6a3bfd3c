"""MediaPipe's networks, read from its files: in torch as in LiteRT; strange files are refused."""

import subprocess
import sys
import zipfile
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import REPOSITORY

from poseprep.errors import InputError
from poseprep.landmarkers.batched import network as networks
from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.litert_model import for_litert
from poseprep.landmarkers.batched.models import FILES, read_models
from poseprep.landmarkers.batched.network import read_network
from poseprep.landmarkers.batched.sparse import densified
from poseprep.landmarkers.batched.torch_network import TorchNetwork
from poseprep.landmarkers.flatbuffer import operator_names, pack, unpack
from poseprep.landmarkers.mediapipe_graph import wheel

# On noise the pose network's depths are sums of thousands that cancel out: LiteRT is 4e-3 from
# double precision there, torch 1e-3.
TOLERANCE = dict.fromkeys(LENSES, 1e-3) | {"pose_landmarks": 1e-2}


@pytest.fixture(scope="module")
def models():
    return read_models(face=True)


def in_litert(model, crops: np.ndarray) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    network = Interpreter(model_content=for_litert(model.data, model.outputs, ""), num_threads=1)
    network.allocate_tensors()
    rows = []
    for crop in crops:
        network.set_tensor(network.get_input_details()[0]["index"], crop[None])
        network.invoke()
        rows.append([network.get_tensor(o["index"]) for o in network.get_output_details()])
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("name", LENSES)
def test_a_network_in_torch_is_the_one_in_litert(models, name):
    model, lens = models[name], LENSES[name]
    crops = np.random.default_rng(0).uniform(lens.low, lens.high, (2, lens.size, lens.size, 3))
    crops = crops.astype(np.float32)
    with torch.inference_mode():
        network = TorchNetwork(read_network(model.data, model.outputs, name))
        found = [x.numpy() for x in network(torch.from_numpy(crops))]
    for ours, theirs in zip(found, in_litert(model, crops), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[name])


def test_what_only_the_mask_of_the_person_needs_does_not_run(models):
    model = models["pose_landmarks"]
    read, all_of_it = (
        read_network(model.data, outputs, "").operators for outputs in (model.outputs, range(5))
    )
    assert len(read) < len(all_of_it)
    assert [o for o in all_of_it if o in read] == list(read)


def level(size=None, segments=None, indices=None) -> SimpleNamespace:
    return SimpleNamespace(
        format=0 if segments is None else 1,
        denseSize=size,
        arraySegments=SimpleNamespace(values=segments),
        arrayIndices=SimpleNamespace(values=indices),
    )


def test_a_sparse_matrix_by_hand():
    rows = SimpleNamespace(
        traversalOrder=[0, 1],
        blockMap=None,
        dimMetadata=[level(3), level(None, [0, 1, 1, 3], [2, 0, 3])],
    )
    expected = [[0, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 3]]
    assert densified(np.array([1, 2, 3]), rows, (3, 4)).tolist() == expected
    # Two columns in a block: the second block of the first row, the first of the second.
    blocks = SimpleNamespace(
        traversalOrder=[0, 1, 2],
        blockMap=[1],
        dimMetadata=[level(2), level(None, [0, 1, 2], [1, 0]), level(2)],
    )
    expected = [[0, 0, 1, 2], [3, 4, 0, 0]]
    assert densified(np.array([1, 2, 3, 4]), blocks, (2, 4)).tolist() == expected
    with pytest.raises((ValueError, IndexError)):
        densified(np.array([1, 2, 3]), rows, (3, 3))


def bundle(path, **members: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.tflite", data)
    return path


def test_a_bundle_takes_the_place_of_the_networks_it_fits(models, tmp_path):
    """Whatever its files are called, and in whatever order its outputs stand."""
    turned = unpack(models["pose_landmarks"].data, "")
    turned.subgraphs[0].outputs = turned.subgraphs[0].outputs[::-1]
    palm = wheel() / "modules/palm_detection/palm_detection_full.tflite"
    path = bundle(tmp_path / "pose.task", landmarks=pack(turned), palm=palm.read_bytes())
    found = read_models(face=True, bundle=path)
    assert found["pose_landmarks"].outputs == (4, 3, 1)
    assert found["pose_landmarks"].sha256 != models["pose_landmarks"].sha256
    assert {n: m for n, m in found.items() if n != "pose_landmarks"} == {
        n: m for n, m in models.items() if n != "pose_landmarks"
    }


def test_outputs_of_one_shape_are_told_apart_by_their_names(models, tmp_path):
    model = unpack(models["hand_landmarks"].data, "")
    (graph,) = model.subgraphs
    graph.outputs = graph.outputs[[3, 2, 1, 0]]
    hand = read_models(face=False, bundle=bundle(tmp_path / "hand.task", hand=pack(model)))
    assert hand["hand_landmarks"].outputs == (3, 2, 1)
    graph.tensors[graph.outputs[0]].name = graph.tensors[graph.outputs[3]].name
    with pytest.raises(InputError, match="same input and outputs"):
        read_models(face=False, bundle=bundle(tmp_path / "hand.task", hand=pack(model)))


def test_a_bundle_that_is_none_is_refused(models, tmp_path):
    def refused(path, match):
        with pytest.raises(InputError, match=match):
            read_models(face=True, bundle=path)

    palm = wheel() / "modules/palm_detection/palm_detection_full.tflite"
    recrop = models["hand_recrop"].data
    refused(tmp_path / "nowhere.task", "found no such file")
    refused(tmp_path, "found a folder")
    refused(REPOSITORY / "Makefile" / "a.task", r"cannot be read \(Not a directory\)")
    refused(REPOSITORY / "Makefile", "no zip archive")
    refused(bundle(tmp_path / "empty.task"), "none in 0 files")
    with zipfile.ZipFile(tmp_path / "nested.task", "w") as archive:
        archive.writestr("hand_landmarker.task", b"PK")
    refused(tmp_path / "nested.task", r"other bundles .*\(hand_landmarker.task\); unzip it")
    refused(bundle(tmp_path / "text.task", a=b"no network, though long enough"), "that is none")
    refused(bundle(tmp_path / "palm.task", palm=palm.read_bytes()), "same input and outputs")
    refused(bundle(tmp_path / "two.task", a=recrop, b=recrop), "one network for hand_recrop")
    refused(bundle(tmp_path / "bomb.task", a=bytes(201 << 20)), "of 201 MB")
    whole = bundle(tmp_path / "name.task", é=recrop).read_bytes()
    (tmp_path / "name.task").write_bytes(whole.replace("é".encode(), b"\xff\xfe"))
    refused(tmp_path / "name.task", "cannot be read|damaged")
    with zipfile.ZipFile(tmp_path / "lzma.task", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.tflite", recrop)
    whole = bytearray((tmp_path / "lzma.task").read_bytes())
    whole[1000] ^= 0xFF
    (tmp_path / "lzma.task").write_bytes(whole)
    refused(tmp_path / "lzma.task", "cannot be read|damaged")


def test_what_is_no_network_of_this_kind_is_left_where_it_is(models, tmp_path):
    """A bundle may hold others beside those that fit, such as a tracker of two graphs."""
    other = unpack(models["hand_recrop"].data, "")
    other.subgraphs = other.subgraphs * 2
    path = bundle(tmp_path / "a.task", a=pack(other), b=models["hand_landmarks"].data)
    assert read_models(face=False, bundle=path)["hand_landmarks"].of_bundle
    with pytest.raises(InputError, match="found .*one graph, found 2 graphs"):
        read_models(face=False, bundle=bundle(tmp_path / "b.task", a=pack(other)))


def first(name, model):
    """The first operator of a kind, in the schema's form."""
    (graph,) = model.subgraphs
    names = [
        operator_names()[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]
    return next(o for o in graph.operators if names[o.opcodeIndex] == name)


convolution = partial(first, "CONV_2D")


def leave_weights_out(model):
    operator = convolution(model)
    operator.inputs = [operator.inputs[0], -1, operator.inputs[2]]


def leave_options_out(model):
    convolution(model).builtinOptions = None


def stand_still(model):
    convolution(model).builtinOptions.strideH = 0


def repeat_without_end(model):
    (graph,) = model.subgraphs
    graph.operators = list(graph.operators) * 100


def name_one_tensor_over_and_over(model):
    (graph,) = model.subgraphs
    graph.tensors += [graph.tensors[-1]] * 6000
    graph.tensors[-1].name = b"\xfe"  # counted first: names would take their time


def have_a_long_name(model):
    (graph,) = model.subgraphs
    graph.tensors[-1].name = b"x" * 2000


def have_a_name_of_no_letters(model):
    (graph,) = model.subgraphs
    graph.tensors[-1].name = b"\xfe"


def say_many_axes(model):
    (graph,) = model.subgraphs
    graph.tensors[-1].shape = np.ones(1000, np.int32)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (say_many_axes, "damaged one .a list of 1000 entries"),
        (name_one_tensor_over_and_over, "damaged one .a list of 6"),
        (have_a_long_name, "damaged one .a name of 2000 bytes"),
        (have_a_name_of_no_letters, "damaged one .*can't decode"),
        (leave_weights_out, "CONV_2D with all that it reads"),
        (leave_options_out, "CONV_2D with strideH, found one without"),
        (stand_still, "strideH of at least 1, found 0"),
        (repeat_without_end, "damaged one .a list of 6452 entries"),
    ],
)
def test_what_a_native_library_would_fall_over_is_refused(models, tmp_path, spoil, told):
    model = unpack(models["hand_recrop"].data, "")
    spoil(model)
    with pytest.raises(InputError, match=told):
        read_models(face=False, bundle=bundle(tmp_path / "a.task", a=pack(model)))


@pytest.mark.parametrize("shape", [None, [3], [1, 1, 1, 7]])
def test_weights_written_out_to_another_shape_are_refused(models, tmp_path, shape):
    model = unpack(models["hand_landmarks"].data, "")
    (made,) = first("DEQUANTIZE", model).outputs
    model.subgraphs[0].tensors[made].shape = shape
    with pytest.raises(InputError, match="expected DEQUANTIZE to shape"):
        read_models(face=False, bundle=bundle(tmp_path / "a.task", a=pack(model)))


def test_weights_that_nobody_reads_take_no_memory(models):
    """A small file may name the same values over and over."""
    model = unpack(models["hand_landmarks"].data, "")
    (graph,) = model.subgraphs
    sizes = [0 if b.data is None else len(b.data) for b in model.buffers]
    graph.tensors += [max(graph.tensors, key=lambda tensor: sizes[tensor.buffer])] * 1000
    network = read_network(pack(model), (0, 1, 2), "a")
    assert len(network.constants) == len(
        read_network(models["hand_landmarks"].data, (0, 1, 2), "b").constants
    )
    held = unpack(for_litert(models["pose_landmarks"].data, (1,), "c"), "")
    assert len(pack(held)) < 0.9 * len(models["pose_landmarks"].data)


def test_all_weights_together_have_a_limit(models, monkeypatch):
    data = models["hand_recrop"].data
    sizes = [value.size for value in read_network(data, (0,), "a").constants.values()]
    assert sum(sizes) > max(sizes) + 1
    monkeypatch.setattr(networks, "_MOST_CONSTANTS", sum(sizes) - 1)
    with pytest.raises(InputError, match="values of all tensors, found more"):
        read_network(data, (0,), "a")


def test_an_operator_of_later_times_is_told(models, tmp_path):
    model = unpack(models["hand_recrop"].data, "")
    code = model.operatorCodes[convolution(model).opcodeIndex]
    code.builtinCode, code.deprecatedBuiltinCode = 9999, 127
    with pytest.raises(InputError, match="expected operators among .*, found 9999"):
        read_models(face=False, bundle=bundle(tmp_path / "a.task", a=pack(model)))


RUN_EACH = """
import sys
import numpy as np
from pathlib import Path
from poseprep.errors import InputError
from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.litert_engine import LiteRTEngine
from poseprep.landmarkers.batched.models import Model

name = sys.argv[1]
for path in sys.argv[2:]:
    try:
        model = Model(name, path, Path(path).read_bytes(), LENSES[name].outputs)
        engine = LiteRTEngine({name: model})
    except InputError:
        continue
    frames = engine.load([np.zeros((300, 300, 3), np.uint8)])
    engine.look(name, frames, np.zeros(1, int), np.full((1, 5), 100, np.float32))
"""


# The first is plain, the second's weights are of half precision, the third's sparse, too.
@pytest.mark.parametrize("name", ["hand_recrop", "face_detector", "pose_detector"])
def test_a_damaged_network_is_refused_or_harmless(models, tmp_path, name):
    """Its bytes are checked here, before LiteRT sees them, which falls over what it does not."""
    data, generator = models[name].data, np.random.default_rng(0)
    refused, accepted = 0, []
    for i in range(45):
        damaged = bytearray(data[: generator.integers(9, len(data))] if i % 3 == 0 else data)
        for _ in range(1 + i % 5):
            damaged[-generator.integers(1, min(len(damaged), 20_000))] = generator.integers(256)
        try:
            found = read_models(face=True, bundle=bundle(tmp_path / "d.task", d=bytes(damaged)))
        except InputError as error:
            refused += "d.task" in str(error)
        else:
            accepted.append(tmp_path / f"{i}.tflite")
            accepted[-1].write_bytes(found[name].data)
    assert refused > 15
    assert accepted
    subprocess.run([sys.executable, "-c", RUN_EACH, name, *map(str, accepted)], check=True)


def test_the_wheel_s_networks_are_read_where_they_lie(models):
    for name, path in FILES.items():
        assert models[name].data == (wheel() / "modules" / path).read_bytes()
    ours = [*REPOSITORY.glob("poseprep/**/*"), *REPOSITORY.glob("data/**/*")]
    assert not [path for path in ours if path.suffix in (".tflite", ".task", ".binarypb")]
