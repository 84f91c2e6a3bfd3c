"""Run folders: which one, whether it is whole, and what it knows of a store."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from sslmodel_corpus import SMALL, write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from sslmodel.checkpoint import read_encoder
from sslmodel.dataset import load
from sslmodel.pretrain import pretrain
from sslmodel.runlog import Record, RunLog
from sslmodel.runs import find_newest_run, new_run_folder, read_run, runs_and_stores


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5")


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    pretrain(TINY, [store], folder, progress=False)
    return folder


def test_a_half_written_run_is_no_run(run: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_text((run / "config.json").read_text())
    for folder in (half, tmp_path / "nothing"):
        with pytest.raises(InputError):
            read_run(folder)
    with pytest.raises(InputError, match="no finished run"):
        find_newest_run(tmp_path)
    assert find_newest_run(run.parent) == run


def test_a_damaged_encoder_is_an_input_error(run: Path, tmp_path: Path) -> None:
    for name in ("encoder.json", "encoder.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "encoder.safetensors").write_bytes((run / "encoder.safetensors").read_bytes()[:99])
    with pytest.raises(InputError, match="damaged"):
        read_encoder(tmp_path)


def test_two_trainings_never_write_to_one_folder(store: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    with closing(RunLog(tmp_path, 1, progress=False)) as log:
        log.write(Record(0, 0.5, 2.0))
        with pytest.raises(InputError, match="another training is writing there"):
            pretrain(TINY, [store], tmp_path, progress=False)
        assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_a_folder_of_other_things_is_no_unfinished_run(store: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="something already"):
        pretrain(TINY, [store], tmp_path, progress=False)


def _without(*path: str):
    def change(value: dict) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def _with(new: object, *path: str):
    def change(value: dict) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = new

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("encoder.json", _without("skeleton")),
        ("encoder.json", _without("skeleton", "names")),
        ("encoder.json", _with([[0, 999]], "skeleton", "edges")),
        ("encoder.json", _with([1, 2], "skeleton", "parts")),
        ("encoder.json", _with(0, "encoder", "time_bins")),
        ("encoder.json", _with(-1, "input", "frames")),
        ("encoder.json", _with("many", "encoder", "features")),
        ("encoder.json", _with(3, "encoder")),
        ("config.json", _without("config")),
        ("config.json", _with("magic", "config", "objective")),
        ("config.json", _with(10**400, "config", "epochs")),
        ("config.json", _with(None, "config", "views")),
        ("config.json", _with([], "stores")),
        ("config.json", _with(["a.h5"], "stores")),
        ("split.json", dict.clear),
        ("split.json", lambda value: value.update({key: [] for key in value})),
        ("split.json", lambda value: [entry.pop("how") for entry in value.values()]),
        ("split.json", lambda value: [entry["parts"].popitem() for entry in value.values()]),
        ("split.json", lambda value: [entry.pop("points_sha256") for entry in value.values()]),
    ],
)
def test_damaged_json_is_an_input_error(name: str, change, run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    value = json.loads((copy / name).read_text())
    change(value)
    (copy / name).write_text(json.dumps(value))
    with pytest.raises(InputError, match="damaged"):
        read_encoder(copy) if name == "encoder.json" else read_run(copy)


@pytest.mark.parametrize("name", ["encoder.json", "config.json", "split.json"])
@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b'{"format": 1}'])
def test_other_content_is_an_input_error(
    name: str, content: bytes, run: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / name).write_bytes(content)
    with pytest.raises(InputError):
        read_encoder(copy) if name == "encoder.json" else read_run(copy)


def test_a_run_knows_a_clip_by_its_points_whatever_its_name(run: Path, tmp_path: Path) -> None:
    read = read_run(run)
    (parts,) = (entry["parts"] for entry in read.splits.values())
    grown = load(write_store(tmp_path / "b.h5", signers=8), SMALL, TINY.input)
    known = dict(zip(grown.keys, read.parts_of(grown), strict=True))
    assert {key: part for key, part in known.items() if part} == parts
    other = load(write_store(tmp_path / "c.h5", seed=9), SMALL, TINY.input)
    assert set(read.parts_of(other)) == {""}


def test_a_runs_own_store_extracted_anew_is_known_by_its_keys(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5")
    pretrain(TINY, [store], tmp_path / "r", progress=False)
    anew = load(write_store(store, seed=9, signers=7), SMALL, TINY.input)
    known = read_run(tmp_path / "r").parts_of(anew)
    assert (known != "").sum() == 18


def test_a_new_run_never_takes_the_folder_of_another(tmp_path: Path) -> None:
    assert new_run_folder(tmp_path / "runs", "a") == tmp_path / "runs/a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert new_run_folder(tmp_path, "a") == tmp_path / "a-3"


def test_a_folder_is_a_run_and_an_h5_file_a_store(run: Path) -> None:
    store = Path("b.h5")
    assert runs_and_stores([store, run], Path("runs")) == ([run], [store])
    assert runs_and_stores([store, store], run.parent) == ([run], [store, store])
    assert runs_and_stores([], run.parent) == ([run], [])
