"""Matplotlib's figures as SVG inside the page: in its letters and, light or dark, its colours."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from sslmodel.report.html import Html, text

# Colours that nobody would choose stand for those of the page, which differ by light and dark.
_VARIABLES = ("ink", "soft", "rule", "blue", "orange", "green", "purple", "red")
_STAND_INS = tuple(f"#{i + 1:02x}fe{i + 1:02x}" for i in range(len(_VARIABLES)))
INK, SOFT, RULE, BLUE, ORANGE, GREEN, PURPLE, RED = _STAND_INS
# Okabe and Ito's palette without what is lost on white or on black: for pictures of dots, which
# cannot follow the page.
DOTS = ("#1a86c8", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
GREY = "#9a9a9a"
_DOTS_PER_INCH = 180  # of the parts that are pictures; a unit of the SVG is 1/72 inch

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


def chart(
    name: str, says: str, draw: Callable[[Figure], None], width: int = 420, height: int = 280
) -> Html:
    """What `draw` puts on a figure, as an element of the page.

    Args:
        name: tells this chart's ids from those of the page's other charts.
        says: what it shows, in words.
        width, height: in units of the SVG: pixels of a screen, where there is room.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, dpi=_DOTS_PER_INCH)
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text(says)}">'
    return Html(head + _body(out.getvalue(), name) + "</svg>")


def _body(drawn: str, name: str) -> str:
    """What stands inside Matplotlib's <svg>, fit to stand in a page beside others."""
    drawn = drawn[drawn.index(">", drawn.index("<svg")) + 1 : drawn.rindex("</svg>")]
    # Its styles would be the whole page's; its metadata say nothing that the page does not.
    for kind in ("metadata", "style"):
        drawn = re.sub(rf"<{kind}\b.*?</{kind}>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<!--.*?-->", "", drawn, flags=re.DOTALL).replace("xlink:href", "href")
    drawn = re.sub(r"font-family:[^;\"]*; ", "", drawn)
    drawn = re.sub(r"(\d\.\d\d)\d+", r"\1", re.sub(r"\s*\n\s*", " ", drawn))
    for variable, colour in zip(_VARIABLES, _STAND_INS, strict=True):
        drawn = drawn.replace(colour, f"var(--{variable})")
    return _with_ids_of_its_own(drawn, name)


def _with_ids_of_its_own(drawn: str, name: str) -> str:
    """Ids that something refers to begin with the chart's name; the others are dropped."""
    used = {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawn)}

    def renamed(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in used else ""

    drawn = re.sub(r'\sid="([^"]*)"', renamed, drawn)
    return drawn.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
