"""Existing keypoint arrays become a store."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import optional_folder

from poseprep.arrays import LAYOUTS, import_arrays
from poseprep.clip import IMPORTED, MISSING
from poseprep.errors import InputError
from poseprep.settings import ImportSettings
from poseprep.skeleton import HOLISTIC
from poseprep.store import KeypointStore
from poseprep.verify import verify
from slr_toolkit.cli import main

SIZES = {"hand": 21, "body-hands": 75, "holistic": 543}
RANDOM = np.random.default_rng(0)


def arrays(size: int = 21, clips: int = 4, frames: int = 6, **others: Any) -> dict[str, Any]:
    made = {
        "points": RANDOM.uniform(0.1, 0.9, (clips, frames, size, 3)).astype(np.float16),
        "sign": np.array([f"s{i % 2}" for i in range(clips)], dtype=str),
    }
    return {name: value for name, value in {**made, **others}.items() if value is not None}


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., KeypointStore]:
    def make(made: dict[str, Any], **settings: Any) -> KeypointStore:
        np.savez(tmp_path / "a.npz", **made)
        out = tmp_path / "a.h5"
        import_arrays(tmp_path / "a.npz", out, ImportSettings(**settings), overwrite=True)
        assert verify(out) == []
        return KeypointStore(out)

    return make


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_point_lies_under_its_name(layout: str, imported) -> None:
    made = arrays(SIZES[layout])
    for name in ("auto", layout):
        with imported(made, skeleton=name) as store:
            clip = store.clip(store.keys[1])
            assert list(store.skeleton.parts) == list(LAYOUTS[layout])
            np.testing.assert_allclose(clip.points, made["points"][1], atol=1e-4)
            assert (clip.source == IMPORTED).all()
            assert clip.sign == "s1"
    names = [n for part in LAYOUTS[layout] for n in HOLISTIC.names[HOLISTIC.parts[part]]]
    assert list(store.skeleton.names) == names


def test_a_hand_of_zeros_is_missing_and_a_torn_one_too(imported, tmp_path: Path) -> None:
    made = arrays(75)
    made["points"][0, 2, 33:54] = 0  # left hand
    made["points"][0, 3, 60] = np.nan  # one point of the right one
    made["points"][1, :, :33] = 0  # the body, in all frames
    with imported(made) as store:
        first, second = (store.clip(key) for key in store.keys[:2])
    assert np.isnan(first.part("left_hand")[2]).all()
    assert np.isnan(first.part("right_hand")[3]).all()
    assert first.source.tolist()[2] == [IMPORTED, MISSING, IMPORTED]
    assert not second.found("body").any()
    assert second.found("left_hand").all()
    found = import_arrays(tmp_path / "a.npz", tmp_path / "b.h5", ImportSettings())
    assert (found.torn, found.empty) == (1, 0)
    assert found.missing == {"body": 6, "left_hand": 1, "right_hand": 1}


@pytest.mark.parametrize("name", ["visibility", "confidence"])
def test_confidence_is_kept_and_0_is_missing(name: str, imported) -> None:
    values = np.full((4, 6, 33 if name == "visibility" else 75), 0.5, np.float32)
    values[0, 0, 5] = 0
    with imported(arrays(75, **{name: values})) as store:
        clip = store.clip(store.keys[0])
    assert np.isnan(clip.points[0, 5]).all()
    np.testing.assert_allclose(clip.confidence[1, :33], 0.5, atol=1 / 255)
    hands = 0.5 if name == "confidence" else 1.0
    np.testing.assert_allclose(clip.confidence[1, 33:], hands, atol=1 / 255)


def test_what_is_unknown_is_recorded_as_unknown_and_what_is_known_is_used(imported) -> None:
    made = arrays()
    with imported(made) as store:
        assert (store.settings["fps"], store.settings["aspect"]) == (None, None)
        clip = store.clip(store.keys[0])
        assert (clip.fps, clip.width, clip.height) == (0, 0, 0)
    with imported(made, fps=50.0, aspect=1.5) as store:
        clip = store.clip(store.keys[0])
        np.testing.assert_allclose(clip.time, np.arange(6) / 50)
        expected = made["points"][0].astype(np.float32) * (1.5, 1, 1.5)
        np.testing.assert_allclose(clip.points, expected, atol=1e-4)
        assert store.landmarker["name"] == "imported"


def test_two_dimensions_get_a_third_of_zeros(imported) -> None:
    made = arrays()
    made["points"] = made["points"][..., :2]
    with imported(made) as store:
        assert (store.clip(store.keys[0]).points[..., 2] == 0).all()


def test_clips_of_several_lengths_come_padded_or_end_to_end(imported) -> None:
    padded = arrays(length=np.array([6, 1, 3, 2]))
    ends = {**padded, "points": np.concatenate([p[:n] for p, n in zip(
        padded["points"], padded["length"], strict=True)])}  # fmt: skip
    with imported(padded) as store:
        assert store.lengths.tolist() == [6, 1, 3, 2]
        content = store.content_hash()
    with imported(ends) as store:
        assert store.content_hash() == content


def test_keys_and_labels_come_with_the_clips_in_the_order_of_the_keys(imported) -> None:
    made = arrays(
        key=np.array(["d", "a", "c", "b"]),
        signer=np.array([3, 1, 3, 2]),
        split=np.array(["Test", "train", "", "validation"]),
    )
    with imported(made) as store:
        assert store.keys == ["a", "b", "c", "d"]
        assert store.signs.tolist() == ["s1", "s1", "s0", "s0"]
        assert store.signers.tolist() == ["1", "2", "3", "3"]
        assert store.splits.tolist() == ["train", "val", "", "test"]
        np.testing.assert_allclose(store.clip("d").points, made["points"][0], atol=1e-4)


def bad(**change: Any) -> Callable[[], dict[str, Any]]:
    return lambda: arrays(**change)


def with_infinity() -> dict[str, Any]:
    made = arrays()
    made["points"][2, 0, 0] = np.inf
    return made


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (bad(sign=None), "expected the arrays `points` and `sign`, found points"),
        (bad(sign=np.array(["a"] * 3)), "points of 4 clips, but 3 signs"),
        (bad(sign=np.array([0.5] * 4)), "sign should be text or whole numbers"),
        (bad(sign=np.array([{}] * 4)), "pickled objects"),
        (bad(points=np.zeros((4, 6, 21))), "points should be numbers of shape"),
        (bad(points=np.zeros((4, 6, 17, 3))), "17 points a frame.*hand 21, body-hands 75"),
        (bad(points=np.array(["a"] * 4)), "points should be numbers"),
        (bad(length=np.array([6, 6, 6, 7])), "length should be 4 whole numbers from 1 to 6"),
        (bad(length=np.array([6, 6, 6, 0])), "length should be"),
        (bad(key=np.array(["a", "b", "a", "c"])), "a key of its own, found 'a'"),
        (bad(split=np.array(["dev", "", "", "exam"])), "split 'exam'; expected train"),
        (bad(signer=np.array(["x"] * 5)), r"signer should be .* of shape \(4,\)"),
        (bad(confidence=np.zeros((4, 6))), r"confidence should be numbers of shape \(4, 6, 21\)"),
        (bad(clips=0), "holds no clip"),
        (with_infinity, "clip 2 .* infinite"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    made: Callable[[], dict[str, Any]], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **made())
    with pytest.raises(InputError, match=message):
        import_arrays(tmp_path / "a.npz", tmp_path / "a.h5", ImportSettings())
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_files_that_are_no_such_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no arrays")
    (tmp_path / "empty.npz").write_bytes(b"")
    with open(tmp_path / "one.npz", "wb") as file:
        np.save(file, np.zeros(3))
    for name in ("text.npz", "empty.npz", "one.npz", "nothing.npz", ""):
        with pytest.raises(InputError):
            import_arrays(tmp_path / name, tmp_path / "a.h5", ImportSettings())
    assert not (tmp_path / "a.h5").exists()


def test_the_wrong_skeleton_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    with pytest.raises(InputError, match="not the skeleton holistic"):
        import_arrays(tmp_path / "a.npz", tmp_path / "a.h5", ImportSettings(skeleton="holistic"))


def test_the_command_says_what_it_made_and_overwrites_only_when_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(more=np.zeros(3)))
    words = ["import", str(tmp_path / "a.npz"), str(tmp_path / "a.h5"), "--skeleton", "hand"]
    first = CliRunner().invoke(main, words)
    assert first.exit_code == 0
    assert "4 clips, 24 frames, skeleton hand, 2 signs, 0 signers" in first.output
    assert "not known: frames a second" in first.output
    assert "not read: more" in first.output
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    assert CliRunner().invoke(main, [*words, "--overwrite"]).exit_code == 0


def test_a_point_without_a_depth_is_seen_all_the_same(imported) -> None:
    made = arrays()
    made["points"][..., 2] = np.nan
    with imported(made) as store:
        assert (store.part_source("right_hand") == IMPORTED).all()
        part = store.part("right_hand")
        np.testing.assert_allclose(
            part[..., :2], made["points"][..., :2].reshape(-1, 21, 2), atol=1e-3
        )
        assert (part[..., 2] == 0).all()


def test_confidence_beyond_one_is_refused(imported) -> None:
    with pytest.raises(InputError, match="confidence goes up to 90; expected 0 .missing. to 1"):
        imported(arrays(confidence=np.full((4, 6, 21), 90.0)))


def test_text_that_is_no_utf8_is_refused(imported) -> None:
    with pytest.raises(InputError, match="holds a character that is no text"):
        imported(arrays(key=np.array(["a", "b", "c", "d\ud800"])))


def test_a_file_that_is_no_npz_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("nothing of the kind")
    with pytest.raises(InputError, match="no .npz file"):
        import_arrays(path, tmp_path / "a.h5", ImportSettings())


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_told_or_read(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **arrays())
    good, random = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(25):
        bad = bytearray(good)
        bad[random.integers(len(bad))] ^= 1 << random.integers(8)
        path.write_bytes(bad)
        with suppress(InputError):
            import_arrays(path, tmp_path / "a.h5", ImportSettings(), overwrite=True)


def test_pixels_and_files_that_show_nobody_are_told(tmp_path: Path) -> None:
    made = arrays()
    np.savez(tmp_path / "pixels.npz", **{**made, "points": made["points"] * 640})
    words = ["import", str(tmp_path / "pixels.npz"), str(tmp_path / "a.h5")]
    assert "are they pixels?" in CliRunner().invoke(main, words).output
    np.savez(tmp_path / "none.npz", **{**made, "points": made["points"] * 0})
    words = ["import", str(tmp_path / "none.npz"), str(tmp_path / "b.h5")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 3
    assert "4 clips show nobody" in done.output


def test_the_bench_is_imported_whole(tmp_path: Path) -> None:
    file = optional_folder("SLR_BENCH", "labelled keypoints") / "gislr40.npz"
    found = import_arrays(file, tmp_path / "a.h5", ImportSettings(skeleton="hand"))
    assert (found.clips, found.frames, len(found.signs)) == (2990, 299_000, 39)
    assert found.splits == {"train": 2094, "test": 896}
