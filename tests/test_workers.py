import os
import signal

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
