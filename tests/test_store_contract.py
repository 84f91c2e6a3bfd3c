"""docs/format.md says enough to read and check a store with plain h5py: its programs run here."""

import json
import os
import re
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import REPOSITORY

from poseprep.labels import Label
from poseprep.skeleton import FACES, HOLISTIC
from poseprep.store import KeypointStore
from poseprep.store_layout import CLIP_COLUMNS, PROBLEM_COLUMNS, READABLE, SCHEMA
from poseprep.store_relabel import relabel

PAGE = (REPOSITORY / "docs" / "format.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def path(make_clip, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    with KeypointStore.create(
        tmp_path / "out.h5",
        settings={"fps": None, "名": "ü"},
        landmarker={"name": "x"},
        videos=folder,
        labels_from="folders",
        shard="2/3",
    ) as store:
        for i, key in enumerate(["hello/anna_1.mp4", "東京/ünï.mp4#1.200-end"]):
            store.add(make_clip(key, frames=5 + i, seed=i, file_bytes=2**40, sign="東京"))
        store.add_problem("broken.mp4", "the file is empty", 1, 2)
    return tmp_path / "out.h5"


def programs_of_the_page() -> dict[str, Any]:
    """What the page's program for checksums defines."""
    (program,) = (text for text in PROGRAMS if "def tables_sha256" in text)
    names: dict[str, Any] = {}
    exec(program, names)
    return names


def check(path):
    page = programs_of_the_page()
    with h5py.File(path) as file:
        assert page["tables_sha256"](file) == file.attrs["tables_sha256"]
        for row, stored in enumerate(file["clips/points_sha256"].asstr()):
            assert page["points_sha256"](file, row) == stored


def test_the_pages_program_computes_the_stored_checksums(path):
    check(path)
    relabel(path, {key: Label("a", "b", "train") for key in KeypointStore(path).keys})
    check(path)


def test_checksums_are_the_same_for_an_empty_store_and_other_skeletons(tmp_path, make_clip):
    with KeypointStore.create(tmp_path / "empty.h5"):
        pass
    check(tmp_path / "empty.h5")
    skeleton = HOLISTIC.select(FACES["none"])
    clip = make_clip()
    with KeypointStore.create(tmp_path / "small.h5", skeleton) as store:
        store.add(
            replace(
                clip,
                points=clip.points[:, :75],
                confidence=clip.confidence[:, :75],
                source=clip.source[:, :3],
                skeleton=skeleton,
            )
        )
    check(tmp_path / "small.h5")


def test_the_pages_program_for_reading_reads(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    (program,) = (text for text in PROGRAMS if "right_hand/points" in text)
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["keys"][0] == "hello/anna_1.mp4"
    assert names["hand"].shape == (5, 21, 3)
    assert names["seen"].all()


def test_the_page_names_every_attribute_dataset_and_column(path):
    layout = PAGE[PAGE.index("## Layout") : PAGE.index("## Points")]
    with h5py.File(path) as file:
        names = set(file.attrs) | {"parts", "step"}
        file.visit(lambda name: names.add(name.split("/")[-1]))
        for table, columns in (("clips", CLIP_COLUMNS), ("problems", PROBLEM_COLUMNS)):
            assert set(file[table]) == set(columns)
    assert {name for name in names if not re.search(rf"\b{name}\b", layout)} == set()
    assert f"now **{SCHEMA}**" in PAGE
    assert READABLE == (1, 2)


def test_the_points_of_other_faces_are_as_many_as_the_page_says():
    face = len(FACES["contours"]) - len(FACES["none"])
    assert f"the face has only {face} points" in PAGE
    assert f"({len(FACES['contours'])} points in all)" in PAGE
    assert f"no part `face` ({len(FACES['none'])} points)" in PAGE


def test_numbers_are_little_endian_and_of_the_types_that_the_page_gives(path):
    with h5py.File(path) as file:
        assert json.loads(file["skeleton"].attrs["parts"])["face"] == [75, 543]
        assert file["clips/file_modified"].dtype == np.dtype("<i8")
        assert file["frames/body/points"].dtype == np.dtype("<f4")
        assert file["frames/body/confidence"].attrs["step"] == 1 / 255
        assert all(
            dataset.fletcher32 and dataset.shuffle and dataset.compression == "gzip"
            for group in file["frames"].values()
            for dataset in (group.values() if isinstance(group, h5py.Group) else [group])
        )
