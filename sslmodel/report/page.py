"""The whole page: one file, without scripts, that loads nothing from anywhere."""

from poseprep.wording import duration
from sslmodel.report.charts import loss_chart, rank_chart, spread_chart
from sslmodel.report.collect import Facts
from sslmodel.report.gallery import maps, moving
from sslmodel.report.html import Html, facts, join, name, paragraph, section, tag
from sslmodel.report.overview import trained_on, verdict
from sslmodel.report.signs import confusion
from sslmodel.report.style import STYLE
from sslmodel.report.tables import quality, scores

# Nothing is fetched, and nothing runs: pictures and styles stand in the file itself.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_TITLES = {
    "trained": "Trained on",
    "training": "Training",
    "scores": "Scores",
    "signs": "Confused signs",
    "map": "Map",
    "clips": "Clips",
    "quality": "Data quality",
}


def page(known: Facts) -> str:
    """The report as a text of HTML."""
    title = f"{known.run.folder.resolve().name}: report"
    sections = {
        "trained": trained_on(known),
        "training": _training(known),
        "scores": scores(known),
        "signs": confusion(known),
        "map": maps(known),
        "clips": moving(known),
        "quality": quality(known),
    }
    there = {anchor: part for anchor, part in sections.items() if part}
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    links = [tag("a", _TITLES[anchor], href=f"#{anchor}") for anchor in there]
    top = tag(
        "header",
        tag("p", "slr-toolkit: report of a run", class_="kind"),
        tag("h1", name(known.run.folder.resolve().name, 80)),
        verdict(known),
        tag("nav", *links, aria_label="Sections"),
    )
    body = tag("body", top, tag("main", join(there.values())))
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _training(known: Facts) -> Html:
    first, last = known.records[0], known.records[-1]
    trained = [record.loss for record in known.records if record.loss is not None]
    figures = facts(
        [
            ("Loss", f"{trained[0]:.4g} → {trained[-1]:.4g}" if trained else None),
            ("Feature spread", f"{first.spread:.3f} → {last.spread:.3f}"),
            ("Effective rank", f"{first.rank:.1f} → {last.rank:.1f}"),
            ("Time", duration(last.seconds)),
        ]
    )
    words = paragraph(
        "Epoch 0 is the untrained encoder. The feature spread is 1 where embeddings fill the "
        "sphere evenly, and 0 where all are one spot; the effective rank counts the directions "
        "that they use."
    )
    charts = [spread_chart(known.records), rank_chart(known.records)]
    if trained:
        charts.insert(0, loss_chart(known.records))
    return section(
        "training", "Training", tag("div", tag("div", figures, words), *charts, class_="charts")
    )
