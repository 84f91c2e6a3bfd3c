"""The confusion matrix as shapes of the page: sharp at any size, and each cell says what it is."""

import numpy as np

from poseprep.wording import printable
from sslmodel.report.confused import Matrix
from sslmodel.report.html import Html, join, tag

_CELL = 18
_LETTER = 6.2  # about the width of one, in units of the picture
_LONGEST = 22
_COUNTED = 26  # up to so many signs every cell has its count


def matrix_svg(matrix: Matrix) -> Html:
    """Rows are the true signs, columns what they were taken for; darker is a larger share."""
    signs = [_short(sign) for sign in matrix.signs]
    edge = int(max(map(len, signs), default=1) * _LETTER) + 14
    side = edge + _CELL * len(signs)
    cells = []
    for row, column in zip(*(where.tolist() for where in np.nonzero(matrix.counts)), strict=True):
        clips = int(matrix.counts[row, column])
        cells.append(_cell(matrix, row, column, edge, clips, clips / int(matrix.asked[row])))
    lines = [_line(edge, edge + _CELL * i, side) for i in range(len(signs) + 1)]
    names = []
    for i, sign in enumerate(signs):
        middle = edge + _CELL * i + _CELL / 2
        names.append(_name(sign, matrix.signs[i], edge - 6, middle, "end", ""))
        turned = f"rotate(-90 {middle} {edge - 6})"
        names.append(_name(sign, matrix.signs[i], middle, edge - 6, "start", turned))
    hits, all_ = int(np.trace(matrix.counts)), int(matrix.counts.sum())
    says = (
        f"Confusion of {len(signs)} signs: {hits} of {all_} clips lie on the diagonal. "
        "The tables below name the signs."
    )
    drawn = tag(
        "svg",
        *lines,
        *cells,
        *names,
        viewBox=f"0 0 {side + 1} {side + 1}",
        role="img",
        aria_label=says,
        style=f"min-width:{min(side, 560)}px;max-width:{side}px",
    )
    return tag("div", drawn, class_="wide", tabindex="0", role="region", aria_label="The matrix")


def _short(sign: str) -> str:
    shown = printable(sign)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _name(shown: str, sign: str, x: float, y: float, anchor: str, transform: str) -> Html:
    return tag(
        "text",
        shown,
        tag("title", sign) if printable(sign) != shown else None,
        x=f"{x:g}",
        y=f"{y:g}",
        dy="0.35em",
        text_anchor=anchor,
        transform=transform or None,
    )


def _line(edge: int, at: int, side: int) -> Html:
    return Html(f'<path class="line" d="M{edge} {at}H{side}M{at} {edge}V{side}"/>')


def _cell(matrix: Matrix, row: int, column: int, edge: int, clips: int, share: float) -> Html:
    x, y = edge + _CELL * column, edge + _CELL * row
    sign, other = matrix.signs[row], matrix.signs[column]
    what = "named rightly" if row == column else f"taken for {other}"
    hint = tag("title", f"{sign}: {clips} {what} ({share:.0%})")
    kind = "hit" if row == column else "miss"
    drawn = tag(
        "rect",
        hint,
        x=x,
        y=y,
        width=_CELL,
        height=_CELL,
        class_=kind,
        fill_opacity=f"{0.12 + 0.88 * share:.2f}",
    )
    if len(matrix.signs) > _COUNTED:
        return drawn
    middle = {"x": f"{x + _CELL / 2:g}", "y": f"{y + _CELL / 2:g}", "dy": "0.35em"}
    count = tag(
        "text", clips, class_="on" if share > 0.5 else "off", text_anchor="middle", **middle
    )
    return join([drawn, count])
