import h5py
import pytest

from poseprep.errors import InputError
from poseprep.labels import Label
from poseprep.store import KeypointStore
from poseprep.store_relabel import relabel


@pytest.fixture
def path(make_clip, tmp_path):
    path = tmp_path / "out.h5"
    with KeypointStore.create(path, settings={"fps": 5.0}, landmarker={"name": "x"}) as store:
        for key in ("a.mp4", "b.mp4"):
            store.add(make_clip(key, sign="old", signer="anna", split="test"))
        store.add_problem("c.mp4", "the file is empty")
    return path


def everything_but_labels(path):
    """Name → bytes of every dataset and attribute."""
    found = {}
    with h5py.File(path) as file:

        def note(name, item):
            found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
            if isinstance(item, h5py.Dataset) and name.split("/")[-1] not in LABELS:
                found[name] = item[()].tolist() if item.dtype == object else item[()].tobytes()

        note("", file)
        file.visititems(note)
    return found


LABELS = ("sign", "signer", "split")


def test_only_the_labels_change(path):
    before = everything_but_labels(path)
    relabel(path, {"a.mp4": Label("new", "ben", "train"), "b.mp4": Label()})
    after = everything_but_labels(path)
    assert after.pop("@labels") == "table"
    assert after.pop("@tables_sha256") != before.pop("@tables_sha256")
    assert after == before
    with KeypointStore(path) as store:
        assert store.signs.tolist() == ["new", ""]
        assert store.signers.tolist() == ["ben", ""]
        assert store.splits.tolist() == ["train", ""]
    assert [file.name for file in path.parent.iterdir()] == ["out.h5"]


def test_the_content_hash_stays(path):
    with KeypointStore(path) as store:
        before = store.content_hash()
    relabel(path, {"a.mp4": Label("new"), "b.mp4": Label("new")})
    with KeypointStore(path) as store:
        assert store.content_hash() == before


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError):
        relabel(tmp_path / "text.h5", {})
    assert (tmp_path / "text.h5").read_text() == "hello"
