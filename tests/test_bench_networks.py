"""The table of where time goes adds up, and counts what was looked at."""

import pytest
from conftest import SAMPLE

from poseprep.bench_networks import Spent, Step, bench_networks, copy_rate, table
from poseprep.errors import InputError
from poseprep.landmarkers.batched.cost import multiplications
from poseprep.landmarkers.batched.models import read_models
from poseprep.landmarkers.batched.network import Network, Operator, read_network


def test_a_convolution_costs_its_weights_for_every_cell() -> None:
    """3 × 3 cells of 5 to 7 channels, 4 × 6 places: by hand 3·3·5·7·4·6."""
    convolution = Operator("CONV_2D", (0, 1, 2), (3,), {})
    shapes = {0: (1, 4, 6, 5), 1: (7, 3, 3, 5), 2: (7,), 3: (1, 4, 6, 7)}
    assert multiplications(Network((convolution,), 0, (3,), shapes, {})) == 3 * 3 * 5 * 7 * 4 * 6


def test_the_pose_networks_are_the_large_ones() -> None:
    cost = {
        name: multiplications(read_network(model.data, model.outputs, model.source)) / 1e9
        for name, model in read_models(face=True).items()
    }
    assert 0.3 < cost["pose_landmarks"] < cost["pose_detector"] < 0.5
    assert cost["hand_recrop"] < 0.02 < cost["face_landmarks"] < 0.05


def test_every_frame_has_its_looks() -> None:
    clip = sorted((SAMPLE / "videos").rglob("*.mp4"))[0]
    spent = bench_networks(clip, frames=4, batch=3, device="cpu")
    steps = {step.name.split()[0]: step for step in spent.steps}
    assert spent.frames == 4
    assert steps["pose_detector"].crops == steps["pose_landmarks"].crops == 1
    assert steps["hand_recrop"].crops == 2
    assert all(step.ms > 0 for step in spent.steps if step.crops)
    followed = bench_networks(clip, frames=4, device="cpu", track=True)
    assert {s.name.split()[0]: s for s in followed.steps}["pose_detector"].crops == 0.25


def test_shares_are_of_all_and_rates_of_the_peak() -> None:
    steps = [Step("decode", 5.0), Step("network", 15.0, crops=2.0, gflop=0.75)]
    lines = table(Spent(steps, 10, 200.0, "litert on cpu, float32", "a machine")).splitlines()
    assert lines[3].split() == ["decode", "5.00", "25.0%"]
    assert lines[4].split() == ["network", "15.00", "75.0%", "2.00", "100.0", "50%"]


def test_a_transfer_is_compared_with_a_large_copy() -> None:
    spent = Spent([Step("transfer", 2.0, mb=6.0)], 10, 200.0, "torch", "a machine", copy=12.0)
    assert table(spent).splitlines()[3].split() == [
        "transfer",
        "2.00",
        "100.0%",
        "3.0",
        "GB/s",
        "25%",
    ]
    assert "copying to the GPU: 12.0 GB/s at best" in table(spent)
    assert copy_rate("cpu") > 0


def test_no_videos_are_told(tmp_path) -> None:
    with pytest.raises(InputError, match="no video"):
        bench_networks(tmp_path)
