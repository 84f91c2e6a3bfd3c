"""The sections to look at: maps of the embedding, nearest clips, and signs that were confused."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from poseprep.wording import count
from sslmodel.report.atlas import Atlas, make_atlas
from sslmodel.report.charts import MOST_NAMES, map_chart, mark_of
from sslmodel.report.collect import Facts
from sslmodel.report.html import Html, figure, name, paragraph, section, tag
from sslmodel.report.moving import Clips
from sslmodel.report.nearest import lookups, mistakes
from sslmodel.report.svg import GREY

# At most 60 clips: each is some 15 kB.
_QUERIES, _NEIGHBOURS, _MISTAKES = 3, 4, 12


def maps(known: Facts) -> Html | None:
    """The embedding in two dimensions, coloured by sign and by signer."""
    if known.embeddings is None:
        return section("map", "The embedding as a map", paragraph(f"No map: {known.storeless}."))
    atlas = make_atlas(known.embeddings)
    if atlas is None:
        why = "No map: fewer than three clips show a person, or all embeddings are alike."
        return section("map", "The embedding as a map", paragraph(why))
    data = known.embeddings.dataset
    drawn = [_maps_by("sign", atlas, data.signs)]
    if (data.signers != "").any():
        drawn.append(_maps_by("signer", atlas, data.signers))
    many = len(atlas.clips)
    which = f"All {count(many, 'clip')} with a person"
    if many < atlas.of:
        which = f"{count(many, 'clip')}, drawn with a fixed seed from {atlas.of:,} with a person"
    return section(
        "map",
        "The embedding as a map",
        paragraph(
            f"{which}; each dot is one. PCA shows {100 * sum(atlas.explained):.0f} % of the "
            "variance, all that two directions can hold. t-SNE keeps neighbours together; in it "
            "the distances of far groups, and the groups' sizes, mean nothing. An encoder that "
            "sees signs keeps the dots of a sign together, one that sees people those of a signer."
        ),
        *drawn,
    )


def _maps_by(what: str, atlas: Atlas, names: np.ndarray) -> Html:
    """Both maps, with the names told apart by colour and mark."""
    group, shown, others = _groups([str(names[i]) for i in atlas.clips])
    by = f"{len(shown)} {what}s" + (f", {others} others grey" if others else "")
    charts = [
        map_chart(f"pca-{what}", f"PCA, by {what}", f"PCA by {what}: {by}.", atlas.pca, group)
    ]
    if atlas.tsne is not None:
        title, says = f"t-SNE, by {what}", f"t-SNE by {what}: {by}."
        charts.append(map_chart(f"tsne-{what}", title, says, atlas.tsne, group))
    legend = [tag("li", _mark(i), name(one, 30)) for i, one in enumerate(shown)]
    if others:
        grey = tag("span", "●", style=f"color:{GREY}", aria_hidden="true")
        legend.append(tag("li", grey, f"{others:,} other {what}s"))
    if (group < 0).any() and not others:
        grey = tag("span", "●", style=f"color:{GREY}", aria_hidden="true")
        legend.append(tag("li", grey, "not known"))
    return figure(
        tag("div", *charts, class_="charts"), tag("ul", *legend, class_="legend"), class_="maps"
    )


def _groups(names: Sequence[str]) -> tuple[Int[np.ndarray, " K"], list[str], int]:
    """Each name's place among the most frequent ones, −1 for others; these; how many others."""
    counted = Counter(filter(None, names))
    frequent = sorted(counted, key=lambda one: (-counted[one], one))[:MOST_NAMES]
    place = {one: i for i, one in enumerate(frequent)}
    group = np.array([place.get(one, -1) for one in names], int)
    return group, frequent, len(counted) - len(frequent)


_SHAPES = {"o": "●", "^": "▲", "s": "■", "D": "◆"}


def _mark(place: int) -> Html:
    colour, mark = mark_of(place)
    return tag("span", _SHAPES[mark], style=f"color:{colour}", aria_hidden="true")


def moving(known: Facts) -> Html | None:
    """Nearest clips of some queries, and clips that were named wrongly, as moving skeletons."""
    if known.embeddings is None or known.store is None:
        why = paragraph(f"No moving skeletons: {known.storeless}.")
        return section("clips", "Clips beside each other", why)
    predictions = known.scored.predictions if known.scored else []
    right, wrong = lookups(known.embeddings, _QUERIES, _NEIGHBOURS)
    confused = mistakes(known.embeddings, predictions, _MISTAKES)
    if not (right or wrong or confused):
        return None
    with Clips(known.store.path, known.embeddings) as clips:
        parts: list[Html | None] = [
            paragraph("A skeleton moves while you point at it, or when it is tapped or focused."),
        ]
        titles = (
            ("Nearest clip: the same sign", right),
            ("Nearest clip: another sign", wrong),
        )
        if right or wrong:
            parts.append(
                paragraph(
                    "Test clips drawn by lot (?), each beside its nearest labelled clips of train "
                    "and val, by cosine; where signers are known, of other signers only. ✓ the "
                    "same sign, ✗ another."
                )
            )
        for title, found in titles:
            if found:
                parts += [tag("h3", title), *map(clips.lookup, found)]
        if confused:
            parts.append(tag("h3", "Most confused pairs"))
            parts.append(
                paragraph(
                    "A test clip that was named wrongly, beside the nearest labelled clip of the "
                    "sign it was taken for."
                )
            )
            parts.append(tag("div", *map(clips.mistake, confused), class_="pairs"))
        return section("clips", "Clips beside each other", *parts)
