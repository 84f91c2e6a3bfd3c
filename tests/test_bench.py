"""`slr bench extract`, on a short clip; how fast it is, is for people to read."""

import shutil

import pytest
from click.testing import CliRunner

from poseprep.bench import bench_extract, ways
from poseprep.errors import InputError
from slr_toolkit.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(tmp_path_factory, short_clips):
    folder = tmp_path_factory.mktemp("videos")
    shutil.copy(short_clips[0], folder / "a.mp4")
    return bench_extract(folder, workers=1)


def test_every_way_reads_the_same_frames_and_is_measured(measured):
    assert [row.frames for row in measured.rows] == [12] * 7
    for row in measured.rows:
        assert row.seconds > 0
        assert row.cpu_ms > 0
        assert 50 < row.peak_mib < 2000
    assert [row.mode for row in measured.rows] == ["video"] * 4 + ["static"] * 3
    for mode, inside in measured.inside_ms.items():
        plain, *ours = (row for row in measured.rows if row.mode == mode)
        assert plain == measured.plain(mode)
        assert 0 < inside < plain.cpu_ms
        assert plain.bytes == 0
        assert all(row.bytes > 0 for row in ours)
    assert measured.read_rate > 0


def test_the_table_has_the_plain_loop_of_each_mode_as_its_reference(measured, monkeypatch):
    asked = []
    monkeypatch.setattr("poseprep.bench.bench_extract", lambda *a: asked.append(a) or measured)
    words = ["bench", "extract", "videos", "--workers", "1", "--landmarker", "mediapipe"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert asked[0][4] == ("mediapipe",)
    lines = result.output.splitlines()
    plain = [line for line in lines if line.count(" 1.00×") > 1 and line.startswith("plain")]
    assert [line.partition(", 1 process")[0] for line in plain] == [
        "plain MediaPipe loop",
        "plain MediaPipe loop, static mode",
    ]
    video, static = measured.rows[1], measured.rows[-1]
    for row, reference in ((video, measured.rows[0]), (static, measured.plain("static"))):
        line = next(line for line in lines if line.startswith(row.name))
        assert f"{reference.cpu_ms / row.cpu_ms:.2f}×" in line
        assert f"{row.rate / reference.rate:.2f}×" in line
    assert "reading body and hands from the store" in result.output


def test_images_are_refused_at_once(tmp_path, make_images):
    make_images(tmp_path / "clip", 3)
    with pytest.raises(InputError, match="found a folder of images"):
        bench_extract(tmp_path, workers=1)


def test_every_landmarker_is_measured_with_all_workers_and_with_one():
    every = ways(4, runs_on=("--device", "cpu"))
    assert len({way.name for way in every}) == len(every)
    for mode in ("video", "static"):  # plain loops first
        assert [way.flags is None for way in every if way.mode == mode][:2] == [True, False]
    batched = [way for way in every if "--landmarker batched" in way.name]
    assert [(way.mode, way.flags[-1]) for way in batched] == [
        ("video", "4"),
        ("video", "1"),
        ("static", "4"),
        ("static", "1"),
        ("static", "4"),
        ("static", "1"),
    ]
    assert sum("--no-recover" not in way.flags for way in batched) == 2  # as it is by default
    assert all("--device cpu" in " ".join(way.flags) for way in batched)
    assert [way for way in every if way not in batched and way.mode == "video"] == ways(
        4, ["mediapipe"]
    )


def test_nothing_to_bench_is_told(tmp_path):
    with pytest.raises(InputError, match="no video found"):
        bench_extract(tmp_path, workers=1)
