"""`slr bench train`; how fast it is, is for people to read."""

from dataclasses import replace

import pytest
from test_pretrain import TINY

from poseprep.errors import InputError
from sslmodel import bench_train as bench

pytestmark = pytest.mark.slow


def test_every_way_is_measured_and_compared_with_the_plain_st_gcn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = [way for way in bench.WAYS if not way.compile and way.narrower == 1]
    monkeypatch.setattr(bench, "WAYS", plain)
    said: list[str] = []
    speeds = bench.bench_train(replace(TINY, batch=4), "hand", 1, 0.0, 1, said.append)
    assert [speed.way for speed in speeds] == plain
    for speed in speeds:
        assert len(speed.stages) == len(bench.STAGES)
        assert min(speed.stages) > 0
        assert 0 < speed.encoder_share < 1
        assert 0 < speed.gflops < speed.peak
        assert speed.memory_mib > 50
    table = bench.bench_table(speeds)
    row = next(line for line in table.splitlines() if line.startswith("| st-gcn |"))
    assert "| 1.00× |" in row


def test_points_that_are_no_skeleton_are_refused() -> None:
    with pytest.raises(InputError, match="hand, signing"):
        bench.bench_train(TINY, "feet", 1, 0.0, 1, print)
