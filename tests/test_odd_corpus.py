"""A folder of nothing but odd videos, through the whole pipeline: nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from odd_videos import ODD

from poseprep.store import KeypointStore

SLR = Path(sys.executable).with_name("slr")


@pytest.mark.slow
def test_every_odd_video_is_stored_or_under_problems(tmp_path):
    root, out = tmp_path / "videos", tmp_path / "out.h5"
    root.mkdir()
    whole, told = set(), {}
    for name, odd in ODD.items():
        key = f"{name}.{odd.ending}"
        odd.make(root / key)
        if not odd.reason:
            whole.add(key)
        else:
            told[key] = odd.reason
    os.mkfifo(root / "pipe.mp4")
    os.symlink("nowhere", root / "dangling.mp4")
    os.symlink(".", root / "loop")
    os.symlink("/not/mounted", root / "signer3")
    (root / "folder.mp4").mkdir()
    told |= {
        "pipe.mp4": "a named pipe",
        "dangling.mp4": "a link that leads nowhere",
        "signer3/": "not there any more",
        "folder.mp4/": "a folder named like a video",
    }
    command = [SLR, "extract", root, out, "--workers", "2", "--timeout", "20"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    with KeypointStore(out) as store:
        problems = {problem.key: problem.reason for problem in store.problems}
        partly = {f"{name}.{odd.ending}" for name, odd in ODD.items() if odd.frames[1]}
        assert set(store.keys) == partly
        assert whole.isdisjoint(problems)
    assert problems.keys() == told.keys()
    for key, reason in told.items():
        assert reason in problems[key]
