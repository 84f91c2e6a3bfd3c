"""The section that says which signs are told apart, and which are taken for each other."""

from collections.abc import Mapping, Sequence

from poseprep.wording import count
from sslmodel.report.charts import accuracy_histogram
from sslmodel.report.collect import Facts
from sslmodel.report.confused import OfSign, Pair, by_sign, matrix, pairs
from sslmodel.report.html import Html, details, figure, name, paragraph, row, section, table, tag
from sslmodel.report.matrix import matrix_svg

_MOST_SIGNS = 40  # in a matrix that can be read
_MOST_PAIRS = 25
_MOST_ROWS = 300


def confusion(known: Facts) -> Html | None:
    """The matrix, the pairs that are confused most, and every sign."""
    if known.scored is None or not known.scored.predictions:
        return None
    predictions = known.scored.predictions
    rows, confused = by_sign(predictions), pairs(predictions)
    shown = matrix(predictions, _MOST_SIGNS)
    signs = len({p.sign for p in predictions} | {p.predicted[0] for p in predictions})
    if signs > len(shown.signs):
        what = (
            f"The {len(shown.signs)} of {signs:,} signs in the most confused pairs. "
            f"{count(shown.left_out, 'wrongly named clip')} with another sign "
            f"{'is' if shown.left_out == 1 else 'are'} not in it. "
        )
    else:
        what = f"All {signs} signs. "
    caption = what + (
        "Rows are the true signs, columns what the encoder took the clips for (linear evaluation "
        "with the most labels that were asked for); the stronger a cell, the larger its share of "
        "the sign's clips."
    )
    return section(
        "signs",
        "Which signs are confused",
        tag("div", accuracy_histogram([of.share for of in rows]), class_="charts"),
        figure(matrix_svg(shown), caption, class_="matrix"),
        _pair_table(confused),
        _sign_table(rows, known.scored.clips_of_each_sign),
    )


def _pair_table(confused: Sequence[Pair]) -> Html:
    if not confused:
        return paragraph("No test clip was named wrongly.")
    lines = [
        row(name(pair.sign, 40), name(pair.taken_for, 40), f"{pair.clips:,}")
        for pair in confused[:_MOST_PAIRS]
    ]
    caption = f"Most confused pairs: {len(lines)} of {len(confused):,}"
    return table(caption, ["sign", "taken for", "test clips"], [(None, lines)], names=2)


def _sign_table(rows: Sequence[OfSign], clips: Mapping[str, int]) -> Html:
    lines = [
        row(
            name(of.sign, 40),
            name(of.taken_for[0], 40) + f" ({of.taken_for[1]:,})" if of.taken_for[1] else "",
            f"{100 * of.share:.0f}",
            f"{of.right:,}",
            f"{of.asked:,}",
            f"{clips[of.sign]:,}" if of.sign in clips else "",
            f"{of.wrongly_named:,}",
        )
        for of in rows[:_MOST_ROWS]
    ]
    title = f"Every sign ({len(rows):,}), the worst first"
    if len(rows) > len(lines):
        better = 100 * rows[len(lines)].share
        title = (
            f"The worst {len(lines)} of {len(rows):,} signs; the other {len(rows) - len(lines):,}, "
            f"named rightly in {better:.0f} % or more, are left out"
        )
    head = [
        *("sign", "most often taken for", "right %", "right", "test clips", "clips in all"),
        "others taken for it",
    ]
    return details(title, table("Every sign", head, [(None, lines)], names=2))
