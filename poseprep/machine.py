"""This machine: what a measurement was made on, in words, and what it has."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from poseprep.errors import InputError
from poseprep.version import toolkit_version


def machine() -> str:
    """The processor, the cores that this process may use, and this toolkit's version."""
    model = "unknown processor"
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {len(os.sched_getaffinity(0))} cores; slr-toolkit {toolkit_version()}"


def has_compiler(gpu: bool) -> bool:
    """Whether there is what torch.compile needs: for a GPU one of C (for Triton), else of C++."""
    cpp = "clang++" if sys.platform == "darwin" else "g++"
    named, usual = ("CC", ("gcc", "clang")) if gpu else ("CXX", (cpp,))
    return any(map(shutil.which, [os.environ[named]] if named in os.environ else usual))


def check_compiler(gpu: bool) -> None:
    """Raise InputError where there is none."""
    if not has_compiler(gpu):
        found = (
            "C compiler (gcc, clang, or the one that CC"
            if gpu
            else "C++ compiler (g++, or the one that CXX"
        )
        raise InputError(
            f"--compile: needs a {found} names), found none; install one, or leave it out"
        )
