import os
import signal
import struct
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from poseprep.errors import InputError
from poseprep.workers import ATTEMPTS, Crew, Died, TimedOut, run_tasks


def _double(task):
    yield from range(task)
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    yield task * 2, os.getpid()


def _make_double():
    return _double


def test_every_task_ends_once_and_tells_its_progress():
    reports = list(run_tasks(_make_double, [0, 1, 2, 5], workers=2))
    results = {report.task: report.value[0] for report in reports if report.last}
    assert results == {0: 0, 1: 2, 2: 4, 3: 10}
    progress = [report.value for report in reports if report.task == 3 and not report.last]
    assert progress == [0, 1, 2, 3, 4]


def test_a_process_that_dies_again_and_again_takes_one_task_along():
    reports = [report for report in run_tasks(_make_double, [1, 3, 3, 2], workers=2) if report.last]
    assert sorted(report.task for report in reports) == [0, 1, 2, 3]
    died = {report.task for report in reports if isinstance(report.value, Died)}
    assert died == {1, 2}
    assert {report.value.exit_code for report in reports if report.task in died} == {-9}


def test_leaving_early_ends_the_processes():
    reports = run_tasks(_make_double, [1] * 20, workers=2)
    pid = next(report.value[1] for report in reports if report.last)
    reports.close()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError(f"process {pid} still runs")


def _make_nothing():
    raise ValueError("the models are not there")


def _refuse(task):
    yield 0
    raise InputError(f"no room for {task}")


def _make_refuse():
    return _refuse


def _exit_at_once():
    os._exit(7)


def _make_half():
    return _half_a_message


def _half_a_message(task):
    if task == 1:

        def send(connection, message):
            os.write(connection.fileno(), struct.pack("!i", len(message)) + message[:5])
            os.kill(os.getpid(), signal.SIGKILL)

        Connection._send_bytes = send
    yield task


def test_what_goes_wrong_before_the_first_task_is_raised_with_its_traceback():
    with pytest.raises(RuntimeError, match="(?s)_make_nothing.*ValueError: the models are not"):
        list(run_tasks(_make_nothing, [1, 2], workers=2))


def test_what_the_user_can_mend_comes_as_it_was_raised():
    with pytest.raises(InputError, match="no room for 1"):
        list(run_tasks(_make_refuse, [1], workers=1))


def test_workers_that_never_start_end_the_run_and_no_task_is_blamed():
    with pytest.raises(RuntimeError, match="do not start.*7"):
        list(run_tasks(_exit_at_once, [1, 2], workers=1))


def test_a_worker_killed_while_idle_costs_no_task():
    reports = run_tasks(_make_double, [1, 2, 1, 1, 1], workers=1)
    results = {}
    for report in reports:
        if report.last:
            results[report.task] = report.value
            if report.task == 0:
                os.kill(report.value[1], signal.SIGKILL)
    assert {task: value[0] for task, value in results.items()} == {0: 2, 1: 4, 2: 2, 3: 2, 4: 2}


def test_a_worker_killed_while_it_speaks_takes_one_task_along():
    reports = run_tasks(_make_half, [0, 1, 2], workers=1)
    results = {report.task: report.value for report in reports if report.last}
    assert results == {0: 0, 1: Died(-9), 2: 2}


def _make_unlucky():
    return _unlucky


def _unlucky(path):
    """Is killed at all attempts but the last one."""
    tries = path.read_text() if path.exists() else ""
    path.write_text(tries + "x")
    yield len(tries)
    if len(tries) < ATTEMPTS - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    yield "done"


def test_a_task_whose_process_was_killed_is_begun_anew(tmp_path):
    reports = list(run_tasks(_make_unlucky, [tmp_path / "a", tmp_path / "b"], workers=1))
    assert [report.value for report in reports if report.last] == ["done", "done"]
    assert [r.value for r in reports if r.task == 0 and not r.last][-1] == ATTEMPTS - 1


def _make_sleepy():
    return _sleepy


def _sleepy(task):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as a decoder in a loop does
    yield 0
    yield 1
    time.sleep(3600 if task == "hangs" else 0)
    yield task


def test_a_worker_that_says_nothing_is_ended_and_the_others_go_on():
    reports = run_tasks(_make_sleepy, ["a", "hangs", "b", "c"], workers=2, timeout=1)
    values = {report.task: report.value for report in reports if report.last}
    assert values == {0: "a", 1: TimedOut(1), 2: "b", 3: "c"}


def test_a_listener_that_is_slow_ends_nobody():
    with Crew(_make_sleepy, 1, timeout=0.5) as crew:
        for report in crew.run(["a", "b"]):
            time.sleep(0.4)
            assert not isinstance(report.value, TimedOut)


def _make_pid():
    return _pid


def _pid(task):
    yield os.getpid()


def test_a_crew_keeps_its_processes_from_one_run_to_the_next():
    with Crew(_make_pid, 1) as crew:
        assert len({report.value for _ in range(3) for report in crew.run([1, 2])}) == 1


def test_processes_end_with_a_parent_that_was_killed():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_workers import _make_sleepy\n"
        "from poseprep.workers import Crew\n"
        "if __name__ == '__main__':\n"
        "    with Crew(_make_sleepy, 1) as crew:\n"
        "        for report in crew.run(['hangs']):\n"
        "            print(crew._workers[0]._process.pid, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
