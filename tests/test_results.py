"""results.csv: every score has its row, and how often test was asked is counted."""

import subprocess
import sys
from pathlib import Path

import pytest

from poseprep.errors import InputError
from sslmodel.results import counted_result, read_results
from sslmodel.text import results_table

ROW = {
    "run": "first",
    "encoder_sha256": "e",
    "store_sha256": "s",
    "part": "test",
    "linear 100 %: encoder": "0.5000",
}


def add_result(path: Path, row: dict[str, str]) -> int:
    with counted_result(path, row) as times:
        return times


def test_what_could_not_be_written_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with pytest.raises(OSError, match="full"), counted_result(path, ROW):
        raise OSError("full")
    assert not path.exists()


def test_rows_are_added_and_what_was_scored_before_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    assert add_result(path, ROW) == 1
    assert add_result(path, {**ROW, "part": "val"}) == 1
    assert add_result(path, {**ROW, "store_sha256": "other"}) == 1
    assert add_result(path, {**ROW, "run": "copied elsewhere"}) == 2
    rows = read_results(path)
    assert [row["times_scored"] for row in rows] == ["1", "1", "1", "2"]
    assert rows[0]["linear 100 %: encoder"] == "0.5000"


def test_new_figures_get_columns_and_old_rows_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    add_result(path, ROW)
    add_result(path, {**ROW, "kNN 100 %: encoder": "0.4"})
    first, second = read_results(path)
    assert first["kNN 100 %: encoder"] == ""
    assert second["kNN 100 %: encoder"] == "0.4"
    assert first["linear 100 %: encoder"] == second["linear 100 %: encoder"]


def test_odd_names_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    odd = {**ROW, "run": 'a,"b"\nc — ü', "notes": "=1+1"}
    add_result(path, odd)
    assert read_results(path)[0]["run"] == odd["run"]


def test_a_table_that_is_no_such_table_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("my,own\n1,2\n")
    with pytest.raises(InputError, match="not a table that `slr probe` wrote"):
        add_result(path, ROW)
    assert path.read_text() == "my,own\n1,2\n"
    with pytest.raises(InputError, match="`slr probe` writes one"):
        read_results(tmp_path / "nothing.csv")


def test_rows_of_several_programs_at_once_all_arrive(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sslmodel.results import counted_result\n"
        "row = {'run': sys.argv[2], 'encoder_sha256': 'e', 'store_sha256': 's', 'part': 'test'}\n"
        "for _ in range(10):\n"
        "    with counted_result(Path(sys.argv[1]), row): pass"
    )
    path = tmp_path / "results.csv"
    started = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [process.wait() for process in started] == [0, 0]
    rows = read_results(path)
    assert sorted(int(row["times_scored"]) for row in rows) == list(range(1, 21))


def test_the_list_shows_runs_and_figures() -> None:
    head, line = results_table([ROW]).splitlines()
    assert head.startswith("run ")
    assert line.startswith("first")
    assert "50.0" in line
