"""Properties that every backbone has; those of our own are in test_encoder.py."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sslmodel_corpus import HAND, SMALL, write_store
from test_pretrain import TINY as PRETRAIN

from poseprep.errors import InputError
from poseprep.skeleton import Skeleton
from sslmodel.backbones import BACKBONES
from sslmodel.backbones.st_gcn import GCN, STGCN
from sslmodel.config import EncoderConfig, FineTuneConfig, ProbeConfig
from sslmodel.encoder import Encoder
from sslmodel.export import export
from sslmodel.pretrain import pretrain
from sslmodel.probe import probe

pytestmark = pytest.mark.usefixtures("without_curves")

TINY = EncoderConfig(features=32, point_channels=4)


@pytest.mark.parametrize("skeleton", [HAND, SMALL])
@pytest.mark.parametrize("name", BACKBONES)
def test_any_backbone_embeds_any_skeleton_and_learns(name: str, skeleton: Skeleton) -> None:
    torch.manual_seed(0)
    encoder = Encoder(skeleton, replace(TINY, backbone=name))
    points, seen = torch.randn(3, 9, len(skeleton), 2), torch.ones(3, 9, len(skeleton))
    embedding = encoder(points, seen)
    assert embedding.shape == (3, 32)
    embedding.square().sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters())
    late = [weight for layer in encoder.backbone.late_layers() for weight in layer.parameters()]
    assert 0 < len(late) < len(list(encoder.parameters()))


@pytest.mark.parametrize("name", ["st-gcn", "gcn"])
def test_a_run_with_another_backbone_is_probed_tuned_and_exported(
    name: str, tmp_path: Path
) -> None:
    store = write_store(tmp_path / "a.h5", signers=8)
    config = replace(PRETRAIN, encoder=replace(PRETRAIN.encoder, backbone=name))
    run = pretrain(config, [store], tmp_path / "r", progress=False).folder
    quick = FineTuneConfig(epochs=1, fewest_steps=2)
    asked = ProbeConfig(fractions=(1.0,), resamples=50, accelerator="cpu", finetune="last")
    result = probe(run, replace(asked, tune=quick, untrained_seeds=1))
    assert 0 <= result.score("linear", "100 %", "encoder").values["top1"] <= 1
    assert export(run, tmp_path / "e.onnx").difference <= 1e-4
    with pytest.raises(InputError, match="on one device"):
        pretrain(replace(config, devices=2), [store], tmp_path / "two", progress=False)


def test_message_passing_is_the_dense_product_with_the_adjacency() -> None:
    dense, messages = (kind.spatial(SMALL, 3, 5) for kind in (STGCN, GCN))
    with torch.no_grad():
        messages.conv.lin.weight.copy_(dense.mix.weight[:, :, 0, 0])
        dense.mix.bias.zero_()
        x = torch.randn(2, 3, 4, len(SMALL))
        torch.testing.assert_close(dense(x), messages(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("change", ["rooted", "bone", "motion"])
def test_inputs_can_be_left_out(change: str) -> None:
    encoder = Encoder(HAND, replace(TINY, **{change: False}))
    points, seen = torch.randn(2, 8, 21, 2), torch.ones(2, 8, 21)
    inputs, known = encoder.inputs(points, seen)
    assert inputs.shape == known.shape == (2, 8, 21, 7)
    assert torch.equal(inputs[..., :2], points)
    assert torch.equal(inputs[..., -1], seen)
    encoder.fit_input(points, seen)
    assert encoder(points, seen).shape == (2, 32)


def test_the_mean_over_points_forgets_which_point_was_where_and_apart_does_not() -> None:
    torch.manual_seed(0)
    points, seen = torch.randn(2, 8, 21, 2), torch.ones(2, 8, 21)
    other = points[:, :, torch.randperm(21)]
    only = replace(TINY, rooted=False, bone=False, graph_blocks=0)
    for apart in (True, False):
        encoder = Encoder(HAND, replace(only, points_apart=apart)).eval()
        same = torch.allclose(encoder(points, seen), encoder(other, seen), atol=1e-5)
        assert same is not apart
