"""Properties of the encoder."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sslmodel_corpus import HAND, SMALL, write_store

from poseprep.errors import InputError
from poseprep.options import options
from poseprep.skeleton import HOLISTIC, SIGNING, Skeleton
from sslmodel import graph
from sslmodel.blocks import GraphBlock, PartReadout, TimeConv, pool_in_bins
from sslmodel.checkpoint import read_encoder, save_encoder
from sslmodel.config import EncoderConfig, InputConfig
from sslmodel.dataset import load
from sslmodel.encoder import Encoder
from sslmodel.features import encode

TINY = EncoderConfig(features=32, point_channels=4)


def make(skeleton: Skeleton = SMALL, config: EncoderConfig = TINY) -> Encoder:
    torch.manual_seed(0)
    return Encoder(skeleton, config).eval()


def batch(skeleton: Skeleton = SMALL, clips: int = 4, frames: int = 16):
    g = torch.Generator().manual_seed(1)
    seen = (torch.rand(clips, frames, len(skeleton), generator=g) > 0.2).float()
    points = torch.randn(clips, frames, len(skeleton), 2, generator=g) * seen[..., None]
    return points, seen


@pytest.mark.parametrize("skeleton", [HAND, SMALL, HOLISTIC.select(SIGNING)])
@pytest.mark.parametrize("frames", [7, 32])
def test_any_skeleton_and_length_gives_an_embedding(skeleton: Skeleton, frames: int) -> None:
    embedding = make(skeleton)(*batch(skeleton, 3, frames))
    assert embedding.shape == (3, 32)
    assert embedding.isfinite().all()


@pytest.mark.parametrize("frames", [1, 2])
def test_the_smallest_sizes_that_are_allowed_give_an_embedding(frames: int) -> None:
    least = {
        option.name: option.type(option.minimum or 0)
        for option in options(EncoderConfig)
        if option.type is not str
    }
    for config in (EncoderConfig(**least), replace(TINY, graph_blocks=0), TINY):
        embedding = make(HAND, config)(*batch(HAND, 3, frames))
        assert embedding.shape == (3, config.features)
        assert embedding.isfinite().all()


def test_missing_points_values_do_not_matter() -> None:
    points, seen = batch()
    encoder = make()
    encoder.fit_input(points, seen)
    for rubbish in (1e3, float("nan")):
        other = torch.where(seen[..., None] > 0, points, torch.tensor(rubbish))
        torch.testing.assert_close(encoder(points, seen), encoder(other, seen))


@pytest.mark.parametrize("hidden", ["right_hand_wrist", "right_hand_index_finger_mcp"])
def test_what_hangs_on_a_hidden_root_or_parent_is_unknown_not_zero(hidden: str) -> None:
    encoder, (points, _) = make(HAND), batch(HAND, 8)
    points, seen = points + 5.0, torch.ones(points.shape[:-1])  # far from zero
    encoder.fit_input(points, seen)
    seen[:, :, HAND.index(hidden)] = 0
    inputs, known = encoder.inputs(points, seen)
    assert (inputs[known == 0] == 0).all()
    child = HAND.index("right_hand_index_finger_pip")
    from_root, bone = known[:, :, child, 2], known[:, :, child, 4]
    assert from_root.any() == (hidden != "right_hand_wrist")
    assert bone.any() == (hidden == "right_hand_wrist")
    standardised = (inputs - encoder.input_mean) / encoder.input_scale * known
    assert standardised.abs().amax() < 8  # a zero in the place of 5 would be far out


def test_whether_a_point_is_missing_does_matter() -> None:
    points, seen = batch()
    fewer = seen.clone()
    fewer[:, :, SMALL.parts["left_hand"]] = 0
    encoder = make()
    assert not torch.allclose(encoder(points, seen), encoder(points, fewer), atol=1e-3)


def test_a_clips_embedding_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    points, seen = batch()
    encoder = make().train()
    alone = torch.cat([encoder(points[i : i + 1], seen[i : i + 1]) for i in range(len(points))])
    torch.testing.assert_close(encoder(points, seen), alone, atol=1e-5, rtol=1e-4)


def test_handshape_survives() -> None:
    # Two hands whose points are the same set, but stand on other fingers. Read out without the
    # skeleton's help, so that nothing else can tell them apart.
    torch.manual_seed(0)
    readout, x = PartReadout(points=21, channels=2, width=8), torch.randn(4, 6, 21, 2)
    order = torch.arange(21)
    order[5:9], order[17:21] = torch.arange(17, 21), torch.arange(5, 9)
    first, second = readout(x), readout(x[:, :, order])
    assert (first - second).norm() > 0.3 * first.norm()


def test_the_order_of_time_survives_without_any_temporal_kernel() -> None:
    # Every kernel in time reads its own frame alone, and nobody motion: only the bins can know.
    encoder, (points, seen) = (
        make(config=replace(TINY, motion=False, time_bins=4, time_peaks=False)),
        batch(),
    )
    for module in encoder.modules():
        if isinstance(module, TimeConv):
            kernel = module.kernel_size[-1]
            keep = torch.arange(kernel) == kernel // 2
            module.weight.data *= keep
    # Clips that stand still in two poses.
    points = points[:, :1].expand(-1, 16, -1, -1).clone()
    points[:, 12:] += 1.0  # the last of four bins
    seen = torch.ones_like(seen)
    forward, backward = encoder(points, seen), encoder(points.flip(1), seen)
    assert (forward - backward).norm() > 0.1 * forward.norm()
    bins = [h.reshape(4, 4, 8) for h in (forward, backward)]
    torch.testing.assert_close(bins[0].flip(1), bins[1])


def test_a_graph_block_hears_itself_and_its_neighbours_alone() -> None:
    chain = HOLISTIC.select(["left_shoulder", "left_elbow", "left_wrist"])
    block = GraphBlock(1, 2, graph.adjacency(chain))
    x = torch.randn(1, 3, 4, 1)
    with torch.no_grad():
        # Keep what was heard as it is, to be looked at: (what was heard, minus it).
        block.mix.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
        block.mix.bias.zero_()
        out = block(x)
    heard = out[..., 0] - out[..., 1]  # ReLU keeps one of the two
    # A + I, symmetrically divided by √degree: 2, 3 and 2.
    expected = x[0, 0, :, 0] / 2 + x[0, 1, :, 0] / 6**0.5
    torch.testing.assert_close(heard[0, 0], expected)
    torch.testing.assert_close(
        heard[0, 1], (x[0, 0, :, 0] + x[0, 2, :, 0]) / 6**0.5 + x[0, 1, :, 0] / 3
    )


@pytest.mark.parametrize(("frames", "stride"), [(1, 1), (8, 1), (9, 2)])
def test_a_convolution_over_time_is_torchs_with_channels_last(frames: int, stride: int) -> None:
    ours = TimeConv(3, 5, 5, stride)
    theirs = torch.nn.Conv1d(3, 5, 5, stride, padding=2)
    theirs.load_state_dict({"weight": ours.weight[:, :, 0], "bias": ours.bias})
    x = torch.randn(2, frames, 3)
    torch.testing.assert_close(ours(x), theirs(x.transpose(1, 2)).transpose(1, 2))


def test_time_bins_are_means_of_equal_stretches() -> None:
    x = torch.tensor([[[0.0, 10.0], [2.0, 10.0], [4.0, 20.0], [8.0, 40.0]]])
    means, peaks = [1.0, 10.0, 6.0, 30.0], [2.0, 10.0, 8.0, 40.0]
    torch.testing.assert_close(pool_in_bins(x, 2, False), torch.tensor([means]))
    torch.testing.assert_close(pool_in_bins(x, 2, True), torch.tensor([means + peaks]))
    # Three frames in two stretches share the middle one; one frame is both stretches.
    assert pool_in_bins(x[:, :3], 2, False).tolist() == [[1.0, 10.0, 3.0, 15.0]]
    assert pool_in_bins(x[:, :1], 2, False).tolist() == [[0.0, 10.0, 0.0, 10.0]]


def test_fitting_the_input_makes_each_seen_input_vary_by_one() -> None:
    points, seen = batch(clips=50)
    encoder = make()
    encoder.fit_input(points * 0.1, seen)
    inputs, _ = encoder.inputs(points * 0.1, seen)
    inputs = (inputs - encoder.input_mean) / encoder.input_scale
    position = inputs[..., :2][seen > 0]
    assert position.mean().abs() < 0.02
    assert position.std() == pytest.approx(1.0, abs=0.02)


def test_joint_order_does_not_change_the_embedding(tmp_path: Path) -> None:
    order = np.arange(len(SMALL))
    for where in SMALL.parts.values():
        order[where] = order[where][::-1]
    place = np.argsort(order)
    shuffled = Skeleton(
        names=tuple(SMALL.names[i] for i in order),
        edges=np.sort(place[SMALL.edges], axis=1),
        mirror=place[SMALL.mirror[order]],
        parts=SMALL.parts,
    )
    a = write_store(tmp_path / "a.h5", SMALL)
    with_order = load(a, SMALL, InputConfig(frames=16))
    b = _rewritten(a, tmp_path / "b.h5", shuffled, order)
    encoder = make()
    first = encode(encoder, with_order)
    second = encode(encoder, load(b, encoder.skeleton, InputConfig(frames=16)))
    np.testing.assert_allclose(first, second, atol=1e-6)


def _rewritten(source: Path, path: Path, skeleton: Skeleton, order: np.ndarray) -> Path:
    from poseprep.store import KeypointStore

    with KeypointStore(source) as store, KeypointStore.create(path, skeleton=skeleton) as writer:
        for clip in store.clips():
            writer.add(
                replace(
                    clip,
                    points=clip.points[:, order],
                    confidence=clip.confidence[:, order],
                    skeleton=skeleton,
                )
            )
    return path


def test_a_saved_encoder_comes_back_the_same(tmp_path: Path) -> None:
    points, seen = batch()
    encoder = make()
    encoder.fit_input(points, seen)
    save_encoder(tmp_path, encoder, InputConfig(frames=16), {})
    again, settings = read_encoder(tmp_path)
    assert torch.equal(encoder(points, seen), again(points, seen))
    assert again.skeleton.names == SMALL.names
    assert settings.frames == 16


def test_a_strangers_encoder_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    save_encoder(tmp_path, make(), InputConfig(frames=16), {})
    path, weights = tmp_path / "encoder.json", tmp_path / "encoder.safetensors"
    honest = json.loads(path.read_text())
    encoder, names = honest["encoder"], honest["skeleton"]["names"]
    skeleton = honest["skeleton"]
    lies = [
        ({"encoder": {**encoder, "features": 2**14}}, "expected shape"),
        ({"encoder": {**encoder, "graph_blocks": 10**7}}, "graph-blocks"),
        ({"encoder": {**encoder, "time_bins": 2 * 10**5}}, "time-bins"),
        ({"encoder": {**encoder, "features": encoder["features"] + 1}}, "a multiple of"),
        ({"encoder": {**encoder, "time_blocks": 10**400}}, "time-blocks"),
        ({"input": {**honest["input"], "frames": 10**9}}, "frames"),
        ({"input": {**honest["input"], "frames": 32.5}}, "frames"),
        ({"skeleton": {**skeleton, "edges": [[0, 10**30]]}}, "too large"),
        ({"skeleton": {**skeleton, "names": [names[0]] * len(names)}}, "do not fit together"),
        ({"skeleton": {**skeleton, "mirror": [10**6] * len(names)}}, "do not fit together"),
        ({"skeleton": {**skeleton, "parts": {"a": [0, 1], "b": [0, 1]}}}, "do not fit together"),
        ({"skeleton": {**skeleton, "names": [str(i) for i in range(60_000)]}}, "at most 2000"),
    ]
    for lie, told in lies:
        path.write_text(json.dumps({**honest, **lie}))
        with pytest.raises(InputError, match=f"the encoder is damaged.*{told}"):
            read_encoder(tmp_path)
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="expected JSON"):
        read_encoder(tmp_path)
    path.write_text(json.dumps(honest))
    broken = load_file(weights)
    next(iter(broken.values())).view(-1)[0] = torch.nan
    save_file(broken, weights)
    with pytest.raises(InputError, match="the encoder is damaged.*no finite numbers"):
        read_encoder(tmp_path)
