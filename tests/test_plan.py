"""What is told before an extraction starts."""

import pytest

from poseprep.extract import Extraction
from poseprep.landmarkers.batched import landmarker as batched
from poseprep.settings import ExtractOptions, ExtractSettings
from poseprep.text import extraction_plan


@pytest.fixture
def plan(tmp_path, make_video, monkeypatch):
    make_video("videos/a.mp4")

    def make(gpu: bool, frames: int = 1000, compile: bool = False, **settings) -> str:
        monkeypatch.setattr(batched, "_sees_gpu", lambda device: gpu)
        options = ExtractOptions(workers=1, compile=compile)
        out = tmp_path / "out.h5"
        with Extraction(
            tmp_path / "videos", out, None, ExtractSettings(**settings), options
        ) as extraction:
            return extraction_plan(extraction, frames)

    return make


def test_every_landmarker_has_its_own_time(plan):
    assert "; about 45 s with 1 worker, " in plan(False)
    alone = plan(False, landmarker="batched")
    assert "; about 48 s with 1 worker on the CPU (LiteRT), " in alone
    assert "; about 40 s with" in plan(False, landmarker="batched", track=True)


def test_on_a_gpu_no_time_is_told(plan):
    words = plan(True, landmarker="batched", precision="float16")
    assert "about 1,000 frames; with 1 worker on the GPU (torch, float16), " in words
    assert "compiled" not in words


def test_compiling_is_told_before_it_begins(plan):
    words = plan(True, landmarker="batched", compile=True)
    assert "on the GPU (torch), " in words
    assert words.splitlines()[1].startswith("the networks are compiled for the GPU first")


def test_where_networks_run_is_told_even_where_nobody_knows_how_long(plan):
    words = plan(False, frames=0, landmarker="batched")
    assert words.endswith(
        "not known beforehand, nor the time and disk it takes; with 1 worker on the CPU (LiteRT)"
    )
