"""This machine: what a measurement was made on, in words, and what it has."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

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


def has_c_compiler() -> bool:
    """Whether there is a C compiler, as torch.compile needs for a GPU."""
    named = os.environ.get("CC")
    return any(shutil.which(name) for name in ((named,) if named else ("gcc", "clang", "cc")))


def has_compiler() -> bool:
    """Whether there is a C++ compiler, as torch.compile needs for a CPU."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    return shutil.which(os.environ.get("CXX", usual)) is not None
