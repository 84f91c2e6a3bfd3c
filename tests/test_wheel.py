"""Both ways of installing give the command and no module with somebody else's name."""

import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy of the tracked files, as a clean clone has them."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in filter(None, tracked):
        if (REPOSITORY / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPOSITORY / name).read_bytes())
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_a_wheel_holds_no_generic_top_level_names(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"slr_toolkit", "poseprep", "sslmodel"}
    assert {name for name in names if name.startswith("slr_toolkit/")} == {"slr_toolkit/cli.py"}


def test_a_wheel_holds_every_module(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        path.relative_to(REPOSITORY).as_posix()
        for room in ("poseprep", "sslmodel")
        for path in (REPOSITORY / room).rglob("*.py")
    }
    assert ours <= names


def test_the_command_of_a_wheel_answers(wheel, tmp_path):
    # Unpacked alone on the path, as an installed wheel is; its dependencies are the tests' own.
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from slr_toolkit.cli import main\n"
        f"import slr_toolkit.cli as cli; assert cli.__file__.startswith({str(tmp_path)!r})\n"
        "main(['--help'])"
    )
    shown = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _with_dependencies(code)],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "extract" in shown.stdout


def _with_dependencies(code: str) -> str:
    """`code` in an interpreter that sees installed packages but no editable install."""
    site = str(Path(distribution("click").locate_file("")))
    return f"import sys; sys.path.append({site!r})\n{code}"


def test_an_editable_install_gives_the_command():
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("slr")), "--version"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "slr" in shown.stdout
