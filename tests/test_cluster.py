"""A real Dask scheduler and two real workers on this machine; one is killed amid the work."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from poseprep import cluster
from poseprep.cluster import run_on_dask
from poseprep.errors import InputError
from poseprep.extract import Extraction
from poseprep.settings import ExtractOptions
from poseprep.store import KeypointStore
from poseprep.workers import Died, TimedOut

pytestmark = pytest.mark.slow


class Dask:
    """A scheduler on a free port of 127.0.0.1 and its workers, with their nannies."""

    def __init__(self, folder: Path, workers: int = 2):
        self._folder, self._log = folder, open(folder / "log.txt", "w")  # noqa: SIM115
        scheduler = ["dask_scheduler", "--port", "0", "--no-dashboard"]
        self.processes = [self._start(*scheduler)]
        self.address = self._wait_for("Scheduler at: ")
        self.workers: list[psutil.Popen] = []
        for _ in range(workers):
            self.start_worker()

    def start_worker(self) -> None:
        worker = ["dask_worker", self.address, "--nthreads", "1", "--no-dashboard"]
        self.workers.append(self._start(*worker, "--local-directory", str(self._folder)))
        self.processes.append(self.workers[-1])

    def _start(self, program: str, *arguments: str) -> psutil.Popen:
        return psutil.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--host", "127.0.0.1"],
            stdout=self._log,
            stderr=self._log,
            cwd=self._folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
            },
        )

    def _wait_for(self, words: str) -> str:
        while words not in (text := self.log()):
            assert all(process.is_running() for process in self.processes), text
            time.sleep(0.05)
        return text.split(words)[1].split()[0]

    def log(self) -> str:
        return (self._folder / "log.txt").read_text()

    def busy(self) -> list[int]:
        """Processes that do tasks, beside Dask's own: a worker is its nanny's child."""
        found = []
        for nanny in self.workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in nanny.children(recursive=True):
                    if process.parent().parent() == nanny and "spawn_main" in " ".join(
                        process.cmdline()
                    ):
                        found.append(process.pid)
        return found

    def kill(self, worker: psutil.Popen) -> None:
        """As a machine that loses its power."""
        worker.suspend()  # or the nanny would start the worker anew
        for process in [*worker.children(recursive=True), worker]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def close(self) -> None:
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.kill(process)
            process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    with contextlib.closing(Dask(tmp_path_factory.mktemp("dask"))) as dask:
        yield dask


def _make():
    return _do


def _do(task):
    """Writes down that it was begun; the rest is told by the task's name."""
    name, folder = task
    yield name
    yield name
    with open(folder / name, "a") as file:
        file.write("x")
    if name.startswith("dies"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hangs"):
        time.sleep(3600)
    time.sleep(0.05)
    if name.startswith("refuses"):
        raise InputError("no room")
    yield name, os.getpid()


def _results(reports):
    return {report.task: report.value for report in reports if report.last}


def test_every_task_ends_once_a_crash_and_a_hang_take_one_along(two_workers, tmp_path):
    names = [f"task-{i}" for i in range(40)]
    names[7], names[20] = "dies", "hangs"
    tasks = [(name, tmp_path) for name in names]
    reports = list(run_on_dask(_make, tasks, two_workers.address, timeout=2))
    results = _results(reports)
    assert sum(report.last for report in reports) == len(results) == len(names)
    assert results.pop(7) == Died(-signal.SIGSEGV)
    assert results.pop(20) == TimedOut(2)
    assert all(result[0] == names[task] for task, result in results.items())
    assert {report.value for report in reports if not report.last} == set(names)
    assert all((tmp_path / name).read_text() == "x" for name in names if name != "dies")
    # One process for each worker, and those begun anew after a crash or a hang.
    assert len({result[1] for result in results.values()}) <= 2 + 4


def test_what_the_user_can_mend_names_the_worker(two_workers, tmp_path):
    with pytest.raises(InputError, match=r"Dask worker tcp://127.0.0.1:\d+ on .*: no room"):
        list(run_on_dask(_make, [("refuses", tmp_path)], two_workers.address))


def test_a_worker_with_other_versions_is_refused(two_workers, tmp_path, monkeypatch):
    other = {**cluster.package_versions(), "mediapipe": "0.9.0"}
    monkeypatch.setattr(cluster, "package_versions", lambda: other)
    with pytest.raises(InputError, match=r"Dask worker.*mediapipe 0.10.21, not 0.9.0"):
        list(run_on_dask(_make, [("a", tmp_path)], two_workers.address))


def test_a_worker_that_does_not_see_the_videos_is_refused(two_workers, tmp_path):
    tasks, folder = [("a", tmp_path)], tmp_path / "elsewhere"
    reports = run_on_dask(_make, tasks, two_workers.address, folder=folder)
    with pytest.raises(InputError, match="elsewhere is not there"):
        list(reports)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopping_leaves_nothing_running_on_the_cluster(how, two_workers, tmp_path):
    code = (
        "from pathlib import Path; from test_cluster import _make\n"
        "from poseprep.cluster import run_on_dask\n"
        f"tasks = [('hangs', Path({str(tmp_path)!r}))] * 50\n"
        f"try: list(run_on_dask(_make, tasks, {two_workers.address!r}))\n"
        "except KeyboardInterrupt: raise SystemExit('stopped')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, stderr=subprocess.PIPE, text=True
    ) as client:
        try:
            _wait(lambda: (tmp_path / "hangs").exists() and len(two_workers.busy()) == 2)
            client.send_signal(how)
            _wait(lambda: not two_workers.busy())
            errors = client.communicate(timeout=20)[1]
        finally:
            client.kill()  # else this test would wait for ever where it fails
        assert errors == ("stopped\n" if how == signal.SIGINT else "")
    assert (tmp_path / "hangs").read_text() in ("x", "xx")  # and no other was begun


def test_the_same_points_come_from_a_cluster_that_loses_a_worker(tmp_path, short_clips):
    videos = tmp_path / "videos"
    videos.mkdir()
    for i in range(2):
        for clip in short_clips:
            (videos / f"{i}-{clip.name}").symlink_to(clip)
    here, there = tmp_path / "here.h5", tmp_path / "there.h5"
    with Extraction(videos, here) as extraction:
        extraction.run()
    with contextlib.closing(Dask(tmp_path, workers=2)) as dask:

        def lose_one():
            _wait(lambda: len(dask.busy()) == 2)
            dask.kill(dask.workers[0])

        lost = threading.Thread(target=lose_one)
        lost.start()
        with Extraction(videos, there, options=ExtractOptions(dask=dask.address)) as extraction:
            assert not extraction.run().problems
        lost.join()
        assert dask.workers[0].wait(1) == -signal.SIGKILL
    with KeypointStore(here) as ours, KeypointStore(there) as theirs:
        assert ours.keys == theirs.keys
        assert len(ours.keys) == 6
        assert ours.content_hash() == theirs.content_hash()


def _wait(until, seconds=20):
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nobody_listens_there(monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        for address in (f"tcp://127.0.0.1:{port}", "nonsense"):
            with pytest.raises(InputError, match="no Dask scheduler answers"):
                list(run_on_dask(_make, [("a", Path())], address))
            gc.collect()  # the failed client ends; amid the start of another, both would wait


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'slr-toolkit\[cluster\]'"):
        list(run_on_dask(_make, [("a", Path())], "tcp://127.0.0.1:1"))


def test_no_worker_for_long_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_FIRST_WORKER_SECONDS", 0.5)
    monkeypatch.setattr(cluster, "_NEXT_WORKER_SECONDS", 0.5)
    monkeypatch.setattr(cluster, "_COUNT_SECONDS", 0.1)
    with contextlib.closing(Dask(tmp_path, workers=0)) as dask:
        with pytest.raises(InputError, match="no worker at the Dask scheduler"):
            list(run_on_dask(_make, [("a", tmp_path)], dask.address))
        monkeypatch.setattr(cluster, "_FIRST_WORKER_SECONDS", 30)
        dask.start_worker()
        reports = run_on_dask(_make, [("a", tmp_path)] * 200, dask.address)
        next(reports)
        dask.kill(dask.workers[0])
        with pytest.raises(InputError, match="no worker at the Dask scheduler"):
            list(reports)


def test_a_killed_worker_is_made_good_and_a_lost_scheduler_told(tmp_path, capfd):
    tasks = [(f"task-{i}", tmp_path) for i in range(40)]
    with contextlib.closing(Dask(tmp_path, workers=2)) as dask:
        reports = run_on_dask(_make, tasks, dask.address)
        first = [next(reports) for _ in range(15)]
        dask.kill(dask.workers[0])
        results = _results([*first, *reports])
        assert {task: result[0] for task, result in results.items()} == {
            task: name for task, (name, _) in enumerate(tasks)
        }
        reports = run_on_dask(_make, tasks, dask.address)
        next(reports)
        dask.processes[0].kill()
        with pytest.raises(InputError, match="scheduler at .* was lost"):
            list(reports)
    assert capfd.readouterr() == ("", "")
