"""A real Dask cluster on this machine: a scheduler and two workers, and what may befall them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SAMPLE
from faults import content, extract, family, kill

from poseprep.cluster import run_on_dask
from poseprep.errors import InputError
from poseprep.workers import Died, TimedOut

pytest.importorskip("distributed", reason="Dask is not installed: pip install '.[cluster]'")
pytestmark = pytest.mark.slow

DASK = str(Path(sys.executable).with_name("dask"))
PATIENCE_SECONDS = 60


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Cluster:
    """`dask scheduler` and two `dask worker`, on 127.0.0.1."""

    def __init__(self, folder):
        self._folder, self._processes = folder, []
        note = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", note)
        wait_until(lambda: note.exists() and note.read_text().endswith("}"))
        self.address = json.loads(note.read_text())["address"]
        self.workers = [self.start_worker(), self.start_worker()]

    def start_worker(self):
        place = self._folder / f"worker{len(self._processes)}"
        return self._start(
            *("worker", self.address, "--host", "127.0.0.1", "--nthreads", "1"),
            *("--local-directory", place),
        )

    def _start(self, *words):
        with open(self._folder / f"log{len(self._processes)}.txt", "w") as log:
            self._processes.append(
                subprocess.Popen(
                    [DASK, *map(str, words), "--no-dashboard"],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    # The tests' own modules are there as the toolkit is.
                    env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
                )
            )
        return self._processes[-1]

    def end(self):
        for process in self._processes:
            for pid in family(process.pid):
                kill(pid)
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.end()


def make_work():
    return do


def do(task):
    yield 1  # progress
    if task == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hangs":
        time.sleep(3600)
    time.sleep(0.1)
    yield task, "a piece"
    yield task, os.getpid()


def test_every_task_is_done_and_a_bad_one_takes_nothing_along(cluster):
    tasks = ["a", "dies", "hangs", *range(20)]
    reports = list(run_on_dask(make_work, tasks, cluster.address, timeout=2))
    last = {tasks[report.task]: report.value for report in reports if report.last}
    assert set(last) == set(tasks)
    assert last.pop("dies") == Died(-9)
    assert last.pop("hangs") == TimedOut(2)
    assert all(value[0] == task for task, value in last.items())
    pieces = [r.value[0] for r in reports if not r.last and r.value != 1]
    assert sorted(map(str, pieces)) == sorted(map(str, last))


def test_a_lost_worker_is_made_good(cluster):
    results = {}
    for report in run_on_dask(make_work, range(40), cluster.address, timeout=30):
        if report.last:
            results[report.task] = report.value[0]
        if len(results) == 5 and cluster.workers:
            for pid in family(cluster.workers.pop().pid):  # the nanny, the worker, and ours
                kill(pid)
    assert results == {task: task for task in range(40)}


def test_leaving_early_ends_what_runs(cluster):
    reports = run_on_dask(make_work, ["a", "hangs", "hangs"], cluster.address)
    pid = next(report.value[1] for report in reports if report.last)
    reports.close()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_nobody_at_the_address_is_told():
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        next(run_on_dask(make_work, [1], "tcp://127.0.0.1:9"))
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        next(run_on_dask(make_work, [1], "no address"))


def test_an_extraction_on_a_cluster_that_loses_a_worker_gives_the_same_points(cluster, tmp_path):
    extract(SAMPLE / "videos", tmp_path / "here.h5")
    code = "import sys; from slr_toolkit.cli import main; sys.argv[0] = 'slr'; main()"
    words = ["extract", SAMPLE / "videos", tmp_path / "there.h5", "--no-recover", "--face", "none"]
    running = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words), "--quiet", "--dask", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    journal = tmp_path / "there.h5.partial"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b'{"sealed": ') >= 2)
    for pid in family(cluster.workers.pop().pid):
        kill(pid)
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, said
    assert content(tmp_path / "there.h5") == content(tmp_path / "here.h5")
