"""`slr bench train`; how fast it is, is for people to read."""

from concurrent.futures import Future
from dataclasses import replace

import click
import pytest
import torch
from test_pretrain import TINY

from poseprep.errors import InputError
from slr_toolkit.cli import main
from sslmodel import bench_train as bench
from sslmodel.bench_train import Speed, Way, bench_table


def speed(name: str, *milliseconds: float) -> Speed:
    return Speed(Way(name, name), 1000, 20, milliseconds, gflop=2.0, peak=100.0, memory_mib=7.0)


def test_a_speed_is_worked_out_of_its_stages() -> None:
    one = speed("x", 10.0, 20.0, 5.0, 60.0, 5.0)  # 100 ms a step of 20 clips
    assert one.clips_a_second == pytest.approx(200)
    assert one.gflops == pytest.approx(20)
    assert one.encoder_share == pytest.approx(0.8)


def test_rounds_become_their_median_and_the_most_memory() -> None:
    rounds = [speed("x", *[float(ms)] * 5) for ms in (1, 9, 2)]
    rounds[1] = replace(rounds[1], peak=120.0, memory_mib=9.0)
    found = bench._median(rounds)
    assert found.stages == (2.0,) * 5
    assert (found.peak, found.memory_mib) == (120.0, 9.0)


def test_the_table_has_the_plain_st_gcn_as_its_reference() -> None:
    rows = [speed("ours", *[1.0] * 5), speed("st-gcn", *[3.0] * 5)]
    cells = [line.split(" | ")[:4] for line in bench_table(rows).splitlines()[2:]]
    assert cells == [["| ours", "4,000", "3.00×", "400"], ["| st-gcn", "1,333", "1.00×", "133"]]
    assert "| – |" in bench_table(rows[:1])


def test_points_that_are_no_skeleton_are_refused() -> None:
    with pytest.raises(InputError, match="hand, signing"):
        bench.bench_train(TINY, "feet", 1, 0.0, 1, print)


def test_the_points_that_can_be_chosen_are_those_there_are() -> None:
    (command,) = (c for n, c in main.commands["bench"].commands.items() if n == "train")  # type: ignore[attr-defined]
    (option,) = (o for o in command.params if o.name == "points")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(bench.SKELETONS)


@pytest.mark.slow
def test_every_way_is_measured_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ways = [Way("parts-apart", "parts-apart"), Way("st-gcn", "st-gcn")]
    monkeypatch.setattr(bench, "WAYS", (*ways, Way("bf16", "parts-apart", precision="bf16")))
    # Not as this machine has it: on many its peak would take minutes.
    monkeypatch.setattr(bench, "imitates_bf16", lambda device: True)
    config = replace(TINY, batch=4, objective="byol")
    told: list[str] = []
    speeds = bench.bench_train(config, "hand", 1, 0.0, 1, told.append)
    assert "PyTorch imitates bf16 on this CPU: nothing is measured in it" in told
    assert [one.way for one in speeds] == ways
    for one in speeds:
        assert len(one.stages) == len(bench.STAGES)
        assert one.gflop > 0
        assert one.parameters > 0


class Answering:
    """A pool whose every answer is this one."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def __enter__(self) -> "Answering":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, *work: object) -> "Future[object]":
        future: Future[object] = Future()
        future.set_result(self.answer)
        return future


def test_a_machine_with_bf16_is_measured_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way("bf16", "parts-apart", precision="bf16")
    monkeypatch.setattr(bench, "_peak", lambda device, precision: {"bf16": 7.0}[precision])
    found = bench._measure(way, replace(TINY, batch=4), "hand", torch.get_num_threads(), 0.0)
    assert (found.way, found.peak) == (way, 7.0)
    assert all(ms >= 0 for ms in found.stages)
    # Only its own process could measure it; here it is enough that it is asked for.
    monkeypatch.setattr(bench, "WAYS", (way,))
    monkeypatch.setattr(bench, "imitates_bf16", lambda device: False)
    monkeypatch.setattr(bench, "ProcessPoolExecutor", lambda *given, **named: Answering(found))
    assert bench.bench_train(TINY, "hand", 1, 0.0, 1, print) == [found]
