import os
import signal
import struct
from multiprocessing.connection import Connection

import pytest

from poseprep.errors import InputError
from poseprep.workers import Died, run_tasks


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


def test_a_process_that_dies_takes_one_task_along():
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
