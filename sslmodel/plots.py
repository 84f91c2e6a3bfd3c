"""Pictures of a run and of its scores. Matplotlib without a display.

Titles and signs are the user's names: a `$` in them is a letter, so they are not parsed as maths.
"""

import io
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from poseprep.clip import Clip
from poseprep.files import write_whole
from poseprep.sprite import Extent, draw_strip
from sslmodel.collapse import lowest_rank, lowest_spread
from sslmodel.runlog import Record

if TYPE_CHECKING:
    from sslmodel.compare import Mean

_INK, _GREY, _BLUE, _ORANGE, _RED = "#222222", "#8a8a8a", "#2a6fbb", "#d9822b", "#c0392b"
_COLOURS = (_BLUE, _ORANGE, "#3c9d5c", "#7d5ba6")
# Told apart by colour, and by form where colours are not seen.
_MARKERS = "oDs^vPX*hd"


def plot_curve(records: Sequence[Record], path: Path, title: str) -> None:
    """The loss and its terms; the embedding's spread and effective rank; how alike views are."""
    epochs = [record.epoch for record in records]
    figure = Figure(figsize=(13.5, 3.8), layout="constrained")
    left, right, last = figure.subplots(1, 3)
    trained = [record for record in records if record.loss is not None]
    steps = [record.epoch for record in trained]
    left.plot(steps, [record.loss for record in trained], color=_GREY, lw=2.2, label="loss")
    for name, colour in zip(trained[0].terms, cycle(_COLOURS), strict=False):
        values = [record.terms[name] for record in trained]
        left.plot(steps, values, color=colour, lw=1.5, label=name)
    # A likeness falls below zero, where a logarithm ends.
    losses = [value for r in trained for value in (r.loss or 0.0, *r.terms.values())]
    left.set_yscale("log" if min(losses) > 0 else "linear")
    left.set(xlabel="epoch", ylabel="loss, and its terms unweighted")
    left.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    right.plot(epochs, [record.spread for record in records], color=_BLUE, lw=1.8)
    right.axhline(lowest_spread(records[0].spread), color=_BLUE, lw=1, ls=":")
    right.set_ylim(0, 1.02)
    right.set(xlabel="epoch", title="Is the embedding alive? (dotted: collapsed)")
    right.set_ylabel("feature spread", color=_BLUE)
    rank = right.twinx()
    rank.plot(epochs, [record.rank for record in records], color=_ORANGE, lw=1.8)
    rank.axhline(lowest_rank(records[0].rank), color=_ORANGE, lw=1, ls=":")
    rank.set_ylim(bottom=0)
    rank.set_ylabel("effective rank (RankMe)", color=_ORANGE)
    last.plot(steps, [r.invariance for r in trained], color=_BLUE, lw=1.8)
    last.axhline(0, color=_GREY, lw=0.8, ls=":")
    last.set_ylim(top=1.02)
    last.set(xlabel="epoch", title="Are a clip's views alike?")
    last.set_ylabel("invariance (1: one point)", color=_BLUE)
    distance = last.twinx()
    distance.plot(steps, [r.alignment for r in trained], color=_ORANGE, lw=1.8)
    distance.set_ylim(bottom=0)
    distance.set_ylabel("alignment (distance of views)", color=_ORANGE)
    for axes in (left, right, rank, last, distance):
        axes.spines["top"].set_visible(False)
    figure.suptitle(title, color=_INK, fontsize=11, parse_math=False)
    _save(figure, path)


def plot_confusion(
    counts: Int[np.ndarray, "S S"], signs: Sequence[str], path: Path, title: str
) -> None:
    """Which sign was taken for which; rows are the true signs, shares of each row."""
    many = len(signs)
    side = float(np.clip(0.32 * many + 2.5, 4.5, 16))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if many <= 60:
        axes.set_xticks(range(many), list(signs), rotation=90, fontsize=8, parse_math=False)
        axes.set_yticks(range(many), list(signs), fontsize=8, parse_math=False)
    if many <= 30:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if share[row, column] > 0.55 else _INK
            text = str(counts[row, column])
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlabel="predicted sign", ylabel="true sign")
    axes.set_title(title, fontsize=11, color=_INK, parse_math=False)
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the true sign's clips")
    _save(figure, path)


def plot_comparison(means: Sequence["Mean"], path: Path, title: str) -> None:
    """Top-1 of linear evaluation: a line for every row and baseline, a colour for every share."""
    shown = [mean for mean in means if mean.question[0] == "linear"]
    rows = list(dict.fromkeys(mean.row for mean in shown))
    labels = list(dict.fromkeys(mean.question[1] for mean in shown))
    figure = Figure(figsize=(8.5, 1.6 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots()
    looks = zip(labels, cycle((*_COLOURS, _RED, _GREY)), cycle(_MARKERS), strict=False)
    for i, (label, colour, marker) in enumerate(looks):
        own = [mean for mean in shown if mean.question[1] == label]
        # A little apart, so that intervals that overlap can be told from each other.
        apart = 0.6 * ((i + 0.5) / len(labels) - 0.5)
        at = [rows.index(mean.row) + apart for mean in own]
        value = np.array([mean.value for mean in own])
        ends = np.array([mean.interval for mean in own])
        reach = 100 * np.abs(ends - value[:, None]).T
        axes.errorbar(
            100 * value,
            at,
            xerr=reach,
            fmt=marker,
            ms=4,
            color=colour,
            label=label,
            capsize=2,
            lw=1,
        )
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set(xlabel="top-1 %, with 95 % intervals")
    axes.grid(color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(title="labels", frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.set_title(title, fontsize=11, color=_INK, parse_math=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _save(figure, path)


def plot_strips(
    clips: Sequence[Clip],
    titles: Sequence[str],
    path: Path,
    frames: int,
    size: int = 160,
    extent: Extent | None = None,
) -> None:
    """One row of skeletons for every clip, so many frames from its beginning to its end.

    Args:
        extent: what every tile shows; else each row what its clip fills.
    """
    figure = Figure(figsize=(1.1 * frames, 1.42 * len(clips)), layout="constrained")
    for axes, clip, title in zip(
        figure.subplots(len(clips), squeeze=False)[:, 0], clips, titles, strict=True
    ):
        axes.imshow(draw_strip(clip, frames, size, extent), interpolation="antialiased")
        axes.set_title(title, loc="left", fontsize=10, color=_INK, parse_math=False)
        axes.set_axis_off()
    _save(figure, path, dpi=130)


def _save(figure: Figure, path: Path, dpi: int = 100) -> None:
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight", pad_inches=0.1, dpi=dpi)
    write_whole(path, picture.getvalue())
