"""Ctrl-C and SIGTERM, to a real `slr extract`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SAMPLE

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_extraction_leaves_no_file_and_no_process(tmp_path, stop):
    slr = str(Path(sys.executable).with_name("slr"))
    running = subprocess.Popen(
        [slr, "extract", str(SAMPLE / "videos"), str(tmp_path / "out.h5"), "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(tmp_path.iterdir()):  # its draft: the workers are being started
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if stop == signal.SIGINT:  # Ctrl-C goes to all processes of a terminal
        os.killpg(running.pid, stop)
    else:
        os.kill(running.pid, stop)
    _, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 130, errors
    assert "Stopped. OUT is as it was before" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    while True:  # nobody of its session is left; the helper of multiprocessing may take a moment
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
