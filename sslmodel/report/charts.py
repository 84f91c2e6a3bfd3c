"""The charts of a report: training, few labels, accuracy of the signs, maps of the embedding."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from sslmodel.collapse import lowest_rank, lowest_spread
from sslmodel.probe import ENCODER, RAW, SUPERVISED, UNTRAINED
from sslmodel.report.html import Html
from sslmodel.report.svg import BLUE, DOTS, GREEN, GREY, INK, ORANGE, PURPLE, RED, SOFT, chart
from sslmodel.runlog import Record
from sslmodel.scores import Score

# What a row is drawn as, wherever it is drawn.
_LINES = {
    ENCODER: (BLUE, "o", "-"),
    UNTRAINED: (ORANGE, "s", "-"),
    RAW: (GREEN, "^", "-"),
    SUPERVISED: (PURPLE, "D", "-"),
    "chance": (SOFT, "", ":"),
}
_TERMS = (BLUE, ORANGE, GREEN, PURPLE)
_MARKS = ("o", "^", "s", "D")


def loss_chart(records: Sequence[Record]) -> Html:
    """The loss and its terms over the epochs."""
    trained = [record for record in records if record.loss is not None]
    epochs = [record.epoch for record in trained]
    first, last = (trained[i].loss for i in (0, -1))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        lines = {"loss": (INK, [record.loss for record in trained])}
        for term, colour in zip(trained[-1].terms, cycle(_TERMS), strict=False):
            lines[term] = colour, [record.terms.get(term, np.nan) for record in trained]
        for name, (colour, values) in lines.items():
            # A log scale has no place for what is not above nothing.
            shown = np.where(np.array(values, float) > 0, np.array(values, float), np.nan)
            mark = "o" if len(epochs) == 1 else None
            axes.plot(epochs, shown, color=colour, lw=2 if name == "loss" else 1.4, marker=mark)
            axes.plot([], [], color=colour, lw=2, label=name)
        axes.set_yscale("log")
        for kind in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            kind(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        _epochs(axes)
        axes.set_title("Loss, and its terms unweighted", loc="left")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, handlelength=1.2)

    return chart("loss", f"The loss went from {first:.3g} to {last:.3g}.", draw)


def spread_chart(records: Sequence[Record]) -> Html:
    """The feature spread over the epochs, and where it counts as collapsed."""
    values = [record.spread for record in records]
    return _watched(
        "spread", "Feature spread", records, values, lowest_spread(values[0]), at_most=1.0
    )


def rank_chart(records: Sequence[Record]) -> Html:
    """The effective rank over the epochs, and where it counts as collapsed."""
    values = [record.rank for record in records]
    return _watched("rank", "Effective rank (RankMe)", records, values, lowest_rank(values[0]))


def _watched(
    name: str,
    title: str,
    records: Sequence[Record],
    values: Sequence[float],
    lowest: float,
    at_most: float | None = None,
) -> Html:
    epochs = [record.epoch for record in records]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(epochs, values, color=BLUE, lw=2, marker="o" if len(epochs) == 1 else None)
        axes.axhline(lowest, color=RED, lw=1.2, ls="--")
        axes.annotate(
            "collapsed below this line",
            (1, lowest),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=RED,
            ha="right",
        )
        axes.set_ylim(0, at_most and max(at_most, *values))
        _epochs(axes)
        axes.set_title(title, loc="left")

    says = f"{title}: from {values[0]:.3g} untrained to {values[-1]:.3g}"
    return chart(name, f"{says}; collapsed below {lowest:.3g}.", draw)


def _epochs(axes: Axes) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def label_chart(measure: str, scores: Sequence[Score], place: int) -> Html:
    """Top-1 by how many clips were labelled, with intervals; a line for each row of the table.

    Args:
        scores: of one measure, with labels of several sizes.
        place: of this chart among those of its kind.
    """
    several = sorted({score.labelled for score in scores if score.encoders})

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for features in dict.fromkeys(score.features for score in scores):
            rows = sorted(
                (s for s in scores if s.features == features), key=lambda score: score.labelled
            )
            colour, mark, line = _LINES.get(features, (INK, "x", "--"))
            top1 = [100 * score.values["top1"] for score in rows]
            if not rows[0].encoders:  # chance knows no labels
                axes.axhline(top1[0], color=colour, ls=line, lw=1.4, label=features)
                continue
            labelled = [score.labelled for score in rows]
            low, high = zip(*(score.intervals["top1"] for score in rows), strict=True)
            axes.fill_between(
                labelled, 100 * np.array(low), 100 * np.array(high), color=colour, alpha=0.14, lw=0
            )
            axes.plot(
                labelled, top1, color=colour, marker=mark, ls=line, lw=1.8, ms=5, label=features
            )
        axes.set_xscale("log")
        axes.set_xticks(several, [f"{many:,.0f}" for many in several])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_ylim(bottom=0)
        axes.set(xlabel="labelled clips (log scale)", ylabel="top-1 %")
        axes.set_title(measure[:1].upper() + measure[1:], loc="left")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, handlelength=1.6, fontsize=10
        )

    says = f"{measure}: top-1 by the number of labelled clips; the figures stand in the table."
    return chart(f"labels{place}", says, draw, height=310)


def accuracy_histogram(shares: Sequence[float]) -> Html:
    """How many signs were named how well."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.hist(100 * np.array(shares), bins=list(range(0, 101, 10)), color=BLUE, rwidth=0.92)
        axes.grid(axis="x", visible=False)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="clips named rightly, %", ylabel="signs", xlim=(0, 100))
        axes.set_title("How well each sign was named", loc="left")

    half = sum(share < 0.5 for share in shares)
    says = f"{half} of {len(shares)} signs were named rightly in fewer than half of their clips."
    return chart("histogram", says, draw)


def mark_of(place: int) -> tuple[str, str]:
    """The colour and the mark of the dots of one name, told apart without seeing colours."""
    return DOTS[place % len(DOTS)], _MARKS[place // len(DOTS) % len(_MARKS)]


MOST_NAMES = 20  # as many as colours and marks tell apart at a glance


def map_chart(
    name: str,
    title: str,
    says: str,
    places: Float[np.ndarray, "K 2"],
    group: Int[np.ndarray, " K"],
) -> Html:
    """Dots, each with the colour and mark of its group; −1 is grey and lies below."""
    size = float(np.clip(4000 / len(places), 7, 40))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for one in range(-1, int(group.max(initial=-1)) + 1):
            x, y = places[group == one].T
            colour, mark = (GREY, "o") if one < 0 else mark_of(one)
            axes.scatter(
                x,
                y,
                s=size * (0.6 if one < 0 else 1),
                c=colour,
                marker=mark,
                alpha=0.45 if one < 0 else 0.9,
                lw=0,
                rasterized=True,
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_title(title, loc="left")

    return chart(name, says, draw, height=380)
