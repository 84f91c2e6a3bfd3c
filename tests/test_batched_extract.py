"""`slr extract --landmarker batched`: worker processes, resume, and engines that fail."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from poseprep.errors import EngineError, InputError
from poseprep.extract import Extraction, ExtractOptions, ExtractSettings
from poseprep.landmarkers.batched import landmarker as module
from poseprep.landmarkers.batched.engine import Guarded
from poseprep.landmarkers.batched.landmarker import BatchedHolistic, make_engine
from poseprep.landmarkers.batched.shared import sharing
from poseprep.measure import Extractor, make_landmarker
from poseprep.store import KeypointStore

SETTINGS = ExtractSettings(landmarker="batched", face="none", recover=False)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, short_clips: list[Path]) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for clip in short_clips[:2]:
        shutil.copy(clip, folder)
    return folder


@pytest.fixture(scope="module")
def store(videos, tmp_path_factory) -> Path:
    """Of these videos, one after the other and frame by frame."""
    out = tmp_path_factory.mktemp("store") / "one.h5"
    assert extract(videos, out, workers=1, batch=1).measured == 24
    return out


def points(path: Path) -> np.ndarray:
    with KeypointStore(path) as store:
        assert not store.problems
        return np.concatenate([store.clip(key).points for key in store.keys])


def extract(videos: Path, out: Path, settings=SETTINGS, **options):
    with Extraction(
        videos, out, settings=settings, options=ExtractOptions(**options)
    ) as extraction:
        return extraction.run()


def test_a_store_is_the_same_whatever_the_workers_and_the_batch(videos, store, tmp_path) -> None:
    extract(videos, tmp_path / "two.h5", workers=2, batch=5)
    # On a CPU crops go one by one.
    np.testing.assert_array_equal(points(store), points(tmp_path / "two.h5"))


def test_a_frame_too_large_is_its_videos_problem_and_the_rest_is_stored(videos, tmp_path) -> None:
    folder = tmp_path / "videos"
    (folder / "wide").mkdir(parents=True)
    cv2.imwrite(str(folder / "wide/0.png"), np.zeros((4, 40_000, 3), np.uint8))
    shutil.copy(min(videos.iterdir()), folder)
    extract(folder, tmp_path / "out.h5", replace(SETTINGS, fps=25.0), workers=1)
    with KeypointStore(tmp_path / "out.h5") as store:
        (problem,) = store.problems
        assert problem.key == "wide"
        assert "frames of 40000 × 4" in problem.reason
        assert len(store.keys) == 1


def test_what_is_done_is_not_done_again_and_other_settings_are_refused(videos, store) -> None:
    assert extract(videos, store, batch=3).measured == 0
    for other in (
        ExtractSettings(face="none", recover=False),
        ExtractSettings("batched", "none", False, track=True),
        ExtractSettings("batched", "none", False, smooth=True),
    ):
        with pytest.raises(InputError, match="other settings"):
            extract(videos, store, other)


def test_killed_and_continued_the_store_is_whole(videos, store, tmp_path) -> None:
    out = tmp_path / "out.h5"
    command = [sys.executable, "-m", "slr_toolkit.cli", "extract", str(videos), str(out)]
    flags = [
        "--landmarker",
        "batched",
        "--face",
        "none",
        "--no-recover",
        "--workers",
        "1",
        "--quiet",
    ]
    process = subprocess.Popen([*command, *flags], start_new_session=True)
    journal = Path(f"{out}.partial")
    while process.poll() is None and b'"piece"' not in (
        journal.read_bytes() if journal.exists() else b""
    ):
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -9  # amid the work
    assert not out.exists()
    extract(videos, out)
    np.testing.assert_array_equal(points(out), points(store))


class Broken:
    """An engine that fails at every look, as one does whose GPU is lost."""

    def load(self, frames):
        return list(frames)

    def join(self, loaded):
        return loaded[0]

    def look(self, network, frames, which, places):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def broken() -> Guarded:
    return Guarded(Broken())


@contextmanager
def shared_with(make):
    with sharing(make) as address:
        yield address


def test_a_lost_engine_ends_the_run_and_is_no_videos_problem(videos, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(BatchedHolistic, "shared", lambda self: shared_with(broken))
    out = tmp_path / "out.h5"
    monkeypatch.setattr(module, "described", partial(_as_on_a_gpu, module.described))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        extract(videos, out)
    assert not out.exists()


def _as_on_a_gpu(described, device, precision, compile):
    return described("cpu", precision)


def test_through_a_shared_engine_a_store_has_the_same_points(
    videos, store, tmp_path, monkeypatch
) -> None:
    through = tmp_path / "shared.h5"

    def share(self):
        return shared_with(partial(make_engine, self._models, "cpu"))

    monkeypatch.setattr(BatchedHolistic, "shared", share)
    extract(videos, through, workers=2)
    np.testing.assert_array_equal(points(store), points(through))


def test_an_engine_that_cannot_be_made_stops_before_the_first_video(monkeypatch) -> None:
    def fails(*arguments):
        raise EngineError("GLIBC_2.99 not found")

    monkeypatch.setattr(module, "make_engine", fails)
    with pytest.raises(EngineError, match="GLIBC"):
        Extractor(SETTINGS)


def test_a_worker_with_another_engine_is_refused() -> None:
    """As on a cluster of which some machines have a GPU."""
    here = json.loads(json.dumps(make_landmarker(SETTINGS).describe()))
    Extractor(SETTINGS, described=here)
    there = here | {"engine": here["engine"] | {"engine": "torch"}}
    with pytest.raises(InputError, match="engine.engine: torch → litert"):
        Extractor(SETTINGS, described=there)


def test_a_gpu_asked_for_on_a_cluster_is_looked_for_there_and_not_here(
    videos, tmp_path, monkeypatch
) -> None:
    """Until the work is handed out the machine asks for nothing that it lacks itself."""
    monkeypatch.setattr(module, "_sees_gpu", lambda device: False)
    worked = []
    monkeypatch.setattr("poseprep.cluster.run_on_dask", lambda work, *_: worked.append(work) or ())
    options = ExtractOptions(device="cuda", dask="tcp://10.0.0.5:8786")
    with Extraction(videos, tmp_path / "a.h5", settings=SETTINGS, options=options) as extraction:
        assert extraction.landmarker["engine"]["engine"] == "torch"
        list(extraction._reports(extraction.inventory.tasks))
    with pytest.raises(InputError, match="--device cuda: expected a GPU"):
        worked[0]()
