"""`slr bench extract`, on a short clip; how fast it is, is for people to read."""

import shutil

import pytest
from click.testing import CliRunner

from poseprep.bench import bench_extract
from poseprep.errors import InputError
from slr_toolkit.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(tmp_path, short_clips):
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(short_clips[0], folder / "a.mp4")
    return folder


def test_every_way_reads_the_same_frames_and_is_measured(videos):
    bench = bench_extract(videos, workers=1)
    assert [row.frames for row in bench.rows] == [12] * 3
    for row in bench.rows:
        assert row.seconds > 0
        assert row.cpu_ms > 0
        assert 50 < row.peak_mib < 2000
    plain, *ours = bench.rows
    assert 0 < bench.inside_ms < plain.cpu_ms
    assert plain.bytes == 0
    assert all(row.bytes > 0 for row in ours)
    assert bench.read_rate > 0


def test_the_table_has_the_plain_loop_as_its_reference(videos):
    result = CliRunner().invoke(main, ["bench", "extract", str(videos), "--workers", "1"])
    assert result.exit_code == 0, result.output
    plain = next(line for line in result.output.splitlines() if "1.00×" in line)
    assert plain.startswith("plain MediaPipe loop")
    assert "reading body and hands from the store" in result.output


def test_nothing_to_bench_is_told(tmp_path):
    with pytest.raises(InputError, match="no video found"):
        bench_extract(tmp_path, workers=1)
