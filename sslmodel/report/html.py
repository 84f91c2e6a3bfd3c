"""HTML made of parts that are escaped by themselves: what is not `Html` already is a plain text."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from poseprep.wording import printable

_VOID = {"img", "meta", "br"}


class Html(str):
    """Markup. Everything else is text that somebody may have named as they liked."""

    __slots__ = ()

    def __add__(self, other: str) -> "Html":
        return Html(str.__add__(self, text(other)))


Content = Html | str | int | None


def text(content: Content) -> Html:
    """Markup as it is, anything else escaped; control characters become visible."""
    if content is None:
        return Html()
    return content if isinstance(content, Html) else Html(escape(printable(str(content))))


def join(parts: Iterable[Content], between: Content = "") -> Html:
    """Several parts in a row."""
    return Html(text(between).join(map(text, parts)))


def tag(element: str, *children: Content, **attributes: str | int | bool | None) -> Html:
    """An element. `class_` is class, `aria_label` is aria-label; False and None are left out."""
    said = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if element in _VOID:
        return Html(f"<{element}{said}>")
    return Html(f"<{element}{said}>{join(children)}</{element}>")


def signed(value: float) -> str:
    """A difference in points, with its sign: +1.2."""
    return f"{value:+.1f}".replace("-", "−")


def name(given: str, longest: int = 60) -> Html:
    """Somebody's name for something, of any script; the middle of a long one is left out."""
    shown = given
    if len(given) > longest:
        shown = f"{given[: longest // 2]}…{given[len(given) - longest // 2 + 1 :]}"
    return tag("bdi", shown, title=given if shown != given else None)


def png_uri(png: bytes) -> str:
    """A picture as an address that holds all of it."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


def paragraph(*children: Content) -> Html:
    return tag("p", *children)


def section(anchor: str, title: str, *children: Content) -> Html:
    """A part of the page, with its heading."""
    heading = tag("h2", title, id=f"{anchor}-title")
    return tag("section", heading, *children, id=anchor, aria_labelledby=f"{anchor}-title")


def figure(picture: Content, caption: Content, **attributes: str | bool | None) -> Html:
    return tag("figure", picture, tag("figcaption", caption), **attributes)


def details(summary: Content, *children: Content) -> Html:
    """Folded away until it is asked for."""
    return tag("details", tag("summary", summary), *children)


def facts(rows: Iterable[tuple[str, Content]]) -> Html:
    """Terms and what they are; those with nothing to say are left out."""
    return tag("dl", *(tag("dt", term) + tag("dd", what) for term, what in rows if text(what)))


def bullets(items: Sequence[Content], **attributes: str) -> Html:
    return tag("ul", *(tag("li", item) for item in items), **attributes)


def table(
    caption: str,
    head: Sequence[Content],
    groups: Iterable[tuple[Content, Sequence[Html]]],
    names: int = 1,
) -> Html:
    """A table with a head, and a headline above each group of rows where it has one.

    The first columns, `names` of them, are of words, the others of numbers. A wide table can be
    moved sideways.
    """
    bodies = []
    for headline, rows in groups:
        line = tag("th", headline, colspan=len(head), scope="rowgroup") if headline else None
        bodies.append(tag("tbody", tag("tr", line) if line else None, *rows))
    columns = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    parts = [tag("caption", caption), tag("thead", columns), *bodies]
    whole = tag("table", *parts, class_=f"names{names}")
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def row(first: Content, *cells: Content, **attributes: str | bool | None) -> Html:
    """A row of a table, its first cell the name of the row."""
    return tag(
        "tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in cells), **attributes
    )
