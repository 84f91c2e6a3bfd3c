"""Imports point downwards only: cli → sslmodel → poseprep (docs/architecture.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

H5PY_FILES = ("arrays", "file", "frames", "layout", "relabel", "tables", "walk", "writer")
# Package → the only files that may import it.
SOLE_IMPORTERS = {
    "mediapipe": {f"poseprep/landmarkers/{name}.py" for name in ("mediapipe", "plain_loop")},
    "distributed": {"poseprep/cluster.py", "poseprep/cluster_worker.py"},
    "torch_geometric": {"sslmodel/graph.py", "sslmodel/backbones/st_gcn.py"},
    "ai_edge_litert": {"poseprep/landmarkers/batched/litert_engine.py"},
    "h5py": {f"poseprep/store_{name}.py" for name in H5PY_FILES},
}
# The one place of poseprep that may use torch: on a GPU, and to measure a processor.
ON_A_GPU = "poseprep/landmarkers/batched/"
FORBIDDEN = {
    "poseprep": {"sslmodel", "cli", "slr_toolkit", "torch", "torch_geometric", "lightning_fabric"},
    "sslmodel": {"cli", "slr_toolkit", "cv2", "mediapipe", "h5py"},
}


def modules() -> list[Path]:
    return [*REPOSITORY.glob("poseprep/**/*.py"), *REPOSITORY.glob("sslmodel/**/*.py")]


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_downwards(path):
    roots = {name.split(".")[0] for name in imported(path)}
    room = path.relative_to(REPOSITORY).parts[0]
    on_a_gpu = {"torch"} if name_of(path).startswith(ON_A_GPU) else set()
    assert not roots & (FORBIDDEN[room] - on_a_gpu)
    for package, importers in SOLE_IMPORTERS.items():
        assert package not in roots or name_of(path) in importers


def test_landmarkers_and_the_store_meet_only_in_extract():
    """What measures knows no store, what keeps knows no landmarker."""

    def uses(path, *modules):
        return any(name.startswith(modules) for name in imported(path))

    for path in modules():
        measures = uses(path, "poseprep.landmarkers", "poseprep.measure")
        keeps = uses(path, "poseprep.store.", "poseprep.assemble")
        assert not (measures and keeps) or name_of(path) == "poseprep/extract.py"
        if "landmarkers" in path.parts:
            assert not uses(path, "poseprep.store")


def test_poseprep_runs_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import poseprep.extract, poseprep.overlay, poseprep.normalize, poseprep.signer.corpus\n"
        "from poseprep.landmarkers import LANDMARKERS, follow\n"
        "import numpy as np\n"
        "for make in LANDMARKERS.values():\n"
        "    list(follow(make(), [np.zeros((64, 64, 3), np.uint8)]))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_help_needs_no_heavy_import():
    code = (
        "import sys; from slr_toolkit.cli import main\n"
        "heavy = {'torch', 'cv2', 'mediapipe', 'h5py', 'numpy', 'matplotlib', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
