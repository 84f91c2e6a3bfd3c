"""Shape checks on, and what several tests share: small videos, a small store, optional data."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import shape_checks

# One of several processes runs tests of all kinds.
shape_checks.install(with_torch="PYTEST_XDIST_WORKER" in os.environ)

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from poseprep.clip import Clip  # noqa: E402
from poseprep.skeleton import HOLISTIC  # noqa: E402

# Shells have what they run in the background ignore Ctrl-C, and so would what these tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
SAMPLE = REPOSITORY / "data" / "sample"


def optional_folder(variable: str, what: str) -> Path:
    """A folder named by the environment; skips the test where it is not there."""
    folder = os.environ.get(variable)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"{variable} names no folder of {what}")
    return Path(folder)


@pytest.fixture(scope="session")
def real_videos() -> Path:
    return optional_folder("SLR_VIDEOS", "real sign videos")


@pytest.fixture(scope="session")
def short_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first 12 frames of three sample clips: a signer to be found, in little time."""
    folder, clips = tmp_path_factory.mktemp("short"), []
    for source in sorted((SAMPLE / "videos").rglob("*.mp4"))[::5]:
        capture, path = cv2.VideoCapture(str(source)), folder / f"{len(clips)}.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (352, 264))
        for _ in range(12):
            writer.write(capture.read()[1])
        writer.release()
        clips.append(path)
    return clips


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video whose frame i is grey of value 10·i with a bright top left corner."""

    def make(
        name: str, frames: int = 10, fps: float = 25, size: tuple[int, int] = (64, 48)
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
        for i in range(frames):
            frame = np.full((size[1], size[0], 3), 10 * i, np.uint8)
            frame[: size[1] // 4, : size[0] // 4] = 255
            writer.write(frame)
        writer.release()
        return path

    return make


@pytest.fixture
def make_images() -> Callable[..., None]:
    """Writes a folder of images 1.png, 2.png, …: image i + 1 is grey of value 10·i."""

    def make(folder: Path, count: int, size: tuple[int, int] = (32, 24)) -> None:
        folder.mkdir(parents=True)
        for i in range(count):
            grey = np.full((size[1], size[0], 3), 10 * i, np.uint8)
            cv2.imwrite(str(folder / f"{i + 1}.png"), grey)

    return make


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    """Random keypoints; the left hand is missing in frames 2 and 3, one body point in frame 1."""

    def make(
        key: str = "hello/anna_1.mp4", frames: int = 8, seed: int = 0, **fields: object
    ) -> Clip:
        random = np.random.default_rng(seed)
        confidence = np.ones((frames, len(HOLISTIC)), np.float32)
        confidence[:, HOLISTIC.parts["body"]] = random.uniform(0.01, 1, (frames, 33))
        confidence[2:4, HOLISTIC.parts["left_hand"]] = 0
        confidence[1, HOLISTIC.index("left_knee")] = 0
        points = random.uniform(0, 1.7, (frames, len(HOLISTIC), 3)).astype(np.float32)
        points[confidence == 0] = np.nan
        source = np.ones((frames, 4), np.uint8)
        source[2:4, 1] = 0
        defaults: dict[str, object] = {"width": 640, "height": 480, "fps": 25.0, "sign": "hello"}
        return Clip(
            key=key,
            points=points,
            confidence=confidence,
            time=np.arange(frames) / 25,
            source=source,
            **{**defaults, **fields},  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings draw no curve: a second each, where a test trains several times."""
    monkeypatch.setattr("sslmodel.run_writer.plot_curve", lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first; those marked slow (real MediaPipe, whole pipelines) at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


SOAK_ROWS: list[tuple[object, ...]] = []


@pytest.fixture
def report() -> Callable[..., None]:
    """A row of the soak's table: what was tried, how often, what was lost, what was measured."""
    return lambda *cells: SOAK_ROWS.append(cells)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The soak's table, as it stands in docs/reliability.md."""
    if SOAK_ROWS:
        terminalreporter.write_line("\n| tried | how often | lost | measured |\n|---|---|---|---|")
        for cells in SOAK_ROWS:
            terminalreporter.write_line("| " + " | ".join(map(str, cells)) + " |")
