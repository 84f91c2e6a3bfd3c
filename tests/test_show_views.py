"""A picture of what augmentation does."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sslmodel_corpus import HAND, write_store

from poseprep.errors import InputError
from slr_toolkit.cli import main
from sslmodel.config import ViewConfig
from sslmodel.show_views import _ALONE, show_views

KEY = "sign0/signer0.mp4"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", lost=0)


def test_every_setting_of_a_view_is_shown_in_one_row() -> None:
    named = [name for names in _ALONE.values() for name in names]
    assert sorted(named) == sorted(entry.name for entry in fields(ViewConfig))


def test_the_first_row_is_the_clip_and_the_views_differ(store: Path, tmp_path: Path) -> None:
    shown = show_views(store, KEY, tmp_path / "v.png", ViewConfig())
    original, first, second = (clip.points for clip in shown.clips[:3])
    assert not np.isnan(original).any()
    assert not np.allclose(first, second, equal_nan=True)
    assert (tmp_path / "v.png").read_bytes().startswith(b"\x89PNG")
    again = show_views(store, KEY, tmp_path / "v.png", ViewConfig())
    np.testing.assert_array_equal(again.clips[1].points, first)


def test_what_has_no_strength_has_no_row_and_chances_are_shown_for_sure(
    store: Path, tmp_path: Path
) -> None:
    nothing = ViewConfig(**{entry.name: 0.0 for entry in fields(ViewConfig)})
    config = replace(nothing, permute_ends=1e-9)
    shown = show_views(store, KEY, tmp_path / "v.png", config)
    assert shown.titles[1:3] == ["view 1", "view 2"]
    assert [title.split(" ")[0] for title in shown.titles[3:]] == ["permute_ends"]
    original, view, alone = shown.clips[0].points, shown.clips[1].points, shown.clips[3].points
    np.testing.assert_allclose(view, original, atol=1e-6)
    middle = slice(32 // 3, 32 - 32 // 4)
    np.testing.assert_allclose(alone[middle], original[middle], atol=1e-6)
    assert not np.allclose(alone, original)


def test_of_a_long_clip_the_first_window_is_drawn_and_told(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", frames=500, lost=0)  # 20 s
    shown = show_views(store, KEY, tmp_path / "v.png", ViewConfig())
    assert shown.titles[0] == f"{KEY}: as the encoder reads it, the first of 2 windows"


def test_the_command_draws_and_says_what_it_cannot(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.png"
    done = CliRunner().invoke(
        main, ["show-views", str(store), KEY, "-o", str(out), "--mirror", "1"]
    )
    assert done.exit_code == 0, done.output
    assert "15 rows" in done.output
    assert CliRunner().invoke(main, ["show-views", str(store), "nothing"]).exit_code == 2
    with pytest.raises(InputError, match="v.gif: expected the name of a picture.*.png"):
        show_views(store, KEY, tmp_path / "v.gif", ViewConfig())
    with pytest.raises(InputError, match="--crop: expected a number"):
        show_views(store, KEY, out, ViewConfig(crop=2.0))


def test_a_hand_alone_and_a_clip_that_shows_nobody_are_drawn(tmp_path: Path) -> None:
    for lost in (0.3, 1.1):
        store = write_store(tmp_path / f"{lost}.h5", HAND, lost=lost)
        shown = show_views(store, KEY, tmp_path / "v.png", ViewConfig())
        assert shown.titles[0].endswith("which shows nobody") == (lost > 1)
