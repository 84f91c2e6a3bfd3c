"""A store that a stranger made, or that a disk damaged: one clear message, never a crash."""

import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from conftest import REPOSITORY

from poseprep.errors import InputError
from poseprep.store import KeypointStore


@pytest.fixture
def path(make_clip, tmp_path):
    with KeypointStore.create(tmp_path / "out.h5", settings={"fps": None}) as store:
        for i in range(3):
            store.add(make_clip(f"{i}.mp4", frames=5 + i, seed=i))
        store.add_problem("broken.mp4", "the file is empty")
    return tmp_path / "out.h5"


@pytest.mark.parametrize("name", ["skeleton", "skeleton/names", "frames/face", "clips/sign"])
def test_a_store_cannot_point_into_another_file(path, tmp_path, name):
    shutil.copy(path, tmp_path / "secret.h5")
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(tmp_path / "secret.h5"), f"/{name}")
    with pytest.raises(InputError, match=f"/{name}.* is missing or lies in another file"):
        KeypointStore(path)


def shorten(name):
    def change(file):
        values = file[name][:-1]
        del file[name]
        file[name] = values

    return change


def set_value(name, row, value):
    def change(file):
        file[name][row] = value

    return change


def delete(name):
    def change(file):
        del file[name]

    return change


def set_attribute(name, value, where="/"):
    def change(file):
        file[where].attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (delete("problems"), "/problems/key is missing"),
        (delete("clips/split"), "/clips/split is missing"),
        (delete("frames/face/source"), "/frames/face/source is missing"),
        (shorten("clips/fps"), "columns of /clips differ in length"),
        (shorten("frames/time"), "/frames/time should be float64"),
        (set_value("clips/start", 1, 4), "do not lie end to end"),
        (set_value("clips/length", 0, -5), "do not lie end to end"),
        (set_value("clips/key", 1, "9.mp4"), "keys do not rise"),
        (set_value("clips/width", 0, -7), "width or height"),
        (set_value("clips/height", 0, 2**31 - 1), "width or height"),
        (set_value("clips/fps", 0, np.nan), "fps"),
        (set_value("clips/key", 1, b"\xff"), "utf-8"),
        (set_value("skeleton/mirror", 0, 9999), "do not fit together"),
        (set_value("skeleton/edges", 0, (-1, 3)), "do not fit together"),
        (set_attribute("parts", '{"face": [0, 10]}', "skeleton"), "do not fit together"),
        (set_attribute("settings", "[1, 2]"), "settings is no JSON object"),
        (set_attribute("landmarker", "{"), "not a keypoint store"),
        (set_attribute("schema", "one"), "schema one"),
    ],
)
def test_what_does_not_fit_together_is_refused_when_opening(path, change, message):
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(InputError, match=message):
        KeypointStore(path)


def test_a_flipped_byte_is_told_when_it_is_read(path):
    with h5py.File(path) as file:
        where = file["frames/face/points"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[where.byte_offset + where.size // 2] ^= 1
    path.write_bytes(data)
    with KeypointStore(path) as store:
        with pytest.raises(InputError, match=r"out\.h5: damaged, /frames/face/points"):
            store.clip("0.mp4")
        with pytest.raises(InputError, match="damaged"):
            store.part("face")
        assert store.part("body").shape == (18, 33, 3)


def test_points_that_are_there_without_confidence_are_told(path):
    with h5py.File(path, "a") as file:
        file["frames/face/confidence"][0] = 0
    with KeypointStore(path) as store, pytest.raises(InputError, match="0.mp4: points must be NaN"):
        store.clip("0.mp4")


def test_a_file_cut_short_is_told(path):
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="does not open"):
        KeypointStore(path)


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(InputError, match=r"ending in \.h5; this is a folder"):
        KeypointStore(tmp_path)


FILL_THE_DISK = """
import resource, sys
import numpy as np
from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC
from poseprep.store import KeypointStore

random = np.random.default_rng(0)
points = random.uniform(size=(50, len(HOLISTIC), 3)).astype(np.float32)
fields = dict(confidence=np.ones(points.shape[:2], np.float32), time=np.arange(50) / 25,
              source=np.ones((50, 4), np.uint8), width=64, height=48)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
try:
    with KeypointStore.create(sys.argv[1]) as store:
        for i in range(20):
            store.add(Clip(key=f"{i:02}.mp4", points=points, **fields))
except InputError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("room", [100, 20_000, 400_000, 900_000])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, room):
    """The file may grow to `room` bytes: at the start, amid the clips, when it is closed."""
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(tmp_path / "out.h5"), str(room)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 1, done.stderr
    assert "out.h5: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_and_a_living_runs_draft_is_not(
    tmp_path, make_clip
):
    (tmp_path / ".out.h5.99999999.tmp").write_bytes(b"half")
    (tmp_path / ".other.h5.99999999.tmp").write_bytes(b"not this one's")
    with KeypointStore.create(tmp_path / "out.h5") as first:
        first.add(make_clip())
        draft = tmp_path / f".out.h5.{os.getpid()}.tmp"
        alive = draft.rename(tmp_path / ".out.h5.1.tmp")
        with KeypointStore.create(tmp_path / "out.h5") as second:
            second.add(make_clip())
        assert alive.exists()
        alive.rename(draft)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".other.h5.99999999.tmp",
        "out.h5",
    ]


def test_a_link_stays_a_link_and_the_videos_are_found_beside_its_target(tmp_path, make_clip):
    for folder in ("real/deep", "videos"):
        (tmp_path / folder).mkdir(parents=True)
    os.symlink(tmp_path / "real" / "deep", tmp_path / "link")
    os.symlink(tmp_path / "real" / "target.h5", tmp_path / "real" / "deep" / "out.h5")
    path = tmp_path / "link" / "out.h5"
    for _ in range(2):
        with KeypointStore.create(path, videos=tmp_path / "videos") as store:
            store.add(make_clip())
    assert path.is_symlink()
    for name in (path, tmp_path / "real" / "target.h5"):
        with KeypointStore(name) as store:
            assert store.videos_folder().resolve() == tmp_path / "videos"
            assert store.settings == {}
