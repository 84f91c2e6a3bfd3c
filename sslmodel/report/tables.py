"""The scores beside their baselines, and what the store's quality is."""

from collections.abc import Iterable, Mapping, Sequence

from poseprep.quality import Coverage
from poseprep.wording import count
from sslmodel.report.charts import label_chart
from sslmodel.report.collect import Embeddings, Facts
from sslmodel.report.html import (
    Html,
    bullets,
    details,
    name,
    paragraph,
    row,
    section,
    signed,
    table,
    tag,
)
from sslmodel.report.scored import Scored
from sslmodel.scores import Difference, Score

_COLUMNS = {"top1": "top-1 %", "top5": "top-5 %", "per_sign": "per sign %"}
_RETRIEVAL_COLUMNS = {"map": "mAP %", "r1": "R@1 %", "r5": "R@5 %"}
_MOST_SIGNERS = 60
_MOST_REASONS = 40


def scores(known: Facts) -> Html:
    """Every measure beside its baselines, and what few labels give."""
    scored = known.scored
    if scored is None:
        return section("scores", "Scores", paragraph(f"No scores: {known.unscored}."))
    classified = [score for score in scored.scores if "top1" in score.values]
    ranked = [score for score in scored.scores if "map" in score.values]
    return section(
        "scores",
        "Scores",
        _few_labels(classified),
        _score_table("Naming the sign of a test clip", scored, classified, _COLUMNS),
        _score_table("Looking up a test clip", scored, ranked, _RETRIEVAL_COLUMNS),
        paragraph(
            f"Intervals are of 95 %: {scored.intervals}; and over encoders and draws of labels, "
            "where several. What is chosen is chosen on val, never on test."
        ),
        _times(scored.times_scored),
        bullets(scored.notes, class_="notes") if scored.notes else None,
    )


def _times(times: int) -> Html | None:
    if times < 2:
        return None
    return paragraph(
        f"This encoder had been scored {times} times on this test part. The more often a test part "
        "is looked at, the less its figures say."
    )


def _few_labels(scores: Sequence[Score]) -> Html | None:
    """A chart for every measure that was asked with labels of several sizes."""
    charts: list[Html] = []
    for measure in dict.fromkeys(score.measure for score in scores):
        rows = [score for score in scores if score.measure == measure]
        if len({score.labelled for score in rows if score.encoders}) > 1:
            charts.append(label_chart(measure, rows, len(charts)))
    if not charts:
        return None
    return (
        tag("h3", "Few labels")
        + paragraph("Top-1 by the number of labelled clips; the bands are the 95 % intervals.")
        + tag("div", *charts, class_="charts")
    )


def _score_table(
    caption: str, scored: Scored, scores: Sequence[Score], columns: Mapping[str, str]
) -> Html | None:
    if not scores:
        return None
    main, *others = columns
    groups = []
    for measure, labels in dict.fromkeys((s.measure, s.labels) for s in scores):
        rows = [s for s in scores if (s.measure, s.labels) == (measure, labels)]
        first = rows[0]
        said = f" {first.labelled:,.0f} labelled clips, {100 * first.share:.3g} % of them"
        said += f"; means of {first.draws} draws" if first.draws > 1 else ""
        head = tag("strong", f"{measure}, {labels}") + tag("small", said)
        lines = []
        for score in rows:
            low, high = score.intervals[main]
            interval = f"{100 * low:.1f} – {100 * high:.1f}" if score.encoders else ""
            lines.append(
                row(
                    _features(score),
                    f"{100 * score.values[main]:.1f}",
                    interval,
                    _bar(score, main),
                    *(f"{100 * score.values[o]:.1f}" if o in score.values else "" for o in others),
                    _lead(scored.lead(measure, labels, score.features)),
                    class_="main" if score is first else None,
                )
            )
        groups.append((head, lines))
    head_row = [
        "features",
        columns[main],
        "95 % interval",
        tag("span", "0 … 100", class_="scale"),
        *(columns[other] for other in others),
        f"{scores[0].features} minus this",
    ]
    return table(caption, head_row, groups)


def _features(score: Score) -> Html:
    means = tag("small", f" mean of {score.encoders}") if score.encoders > 1 else ""
    return tag("span", score.features) + means


def _bar(score: Score, metric: str) -> Html:
    """The value and its interval on a line from 0 to 100; the numbers stand beside it."""
    low, high = score.intervals[metric]
    at = f"--low:{100 * low:.1f}%;--high:{100 * high:.1f}%;--at:{100 * score.values[metric]:.1f}%"
    return tag("span", tag("i"), tag("b"), class_="bar", style=at, aria_hidden="true")


def _lead(lead: Difference | None) -> str:
    if lead is None:
        return ""
    low, high = lead.interval
    return f"{signed(100 * lead.value)} ({signed(100 * low)} to {signed(100 * high)})"


def quality(known: Facts) -> Html:
    """How well each part was seen, what went wrong, and what the scores cover."""
    store = known.store
    if store is None:
        body: list[Html | None] = [paragraph(f"Not to be told: {known.storeless}.")]
    else:
        parts = list(store.description.total.found)
        body = [
            _found_table([store.description.total], "Frames in which each part was found", parts),
            _signers(store.description.by_signer, parts),
            _nobody(known.embeddings),
            _problems(store.problems),
        ]
    return section("quality", "Data quality", *body, _covered(known))


def _found_table(rows: Iterable[Coverage], caption: str, parts: Sequence[str]) -> Html:
    lines = [
        row(
            name(of.name, 30),
            f"{of.clips:,}",
            f"{of.frames:,}",
            *(_share(of.found[part]) for part in parts),
        )
        for of in rows
    ]
    head = ["", "clips", "frames", *(f"{part.replace('_', ' ')} %" for part in parts)]
    return table(caption, head, [(None, lines)])


def _share(share: float) -> Html:
    return tag("span", f"{100 * share:.1f}", class_="heat", style=f"--share:{100 * share:.0f}%")


def _signers(signers: Sequence[Coverage], parts: Sequence[str]) -> Html | None:
    if not signers:
        return paragraph("Nobody knows who signs in these clips.")
    rows = sorted(signers, key=lambda of: (sum(of.found.values()), of.name))[:_MOST_SIGNERS]
    left_out = len(signers) - len(rows)
    title = f"Each signer ({len(signers):,}), those seen worst first"
    if left_out:
        title += f"; {left_out:,} seen better are left out"
    return details(title, _found_table(rows, "By signer", parts))


def _nobody(embeddings: Embeddings | None) -> Html | None:
    if embeddings is None:
        return None
    empty = int((~embeddings.dataset.person).sum())
    if not empty:
        return paragraph("Every clip shows a person.")
    return paragraph(
        f"{count(empty, 'clip')} {'shows' if empty == 1 else 'show'} no person at all."
    )


def _problems(problems: Mapping[str, int]) -> Html:
    if not problems:
        return paragraph("No video had a problem.")
    lines = [row(name(why, 200), f"{videos:,}") for why, videos in problems.items()]
    shown = lines[:_MOST_REASONS]
    left_out = len(lines) - len(shown)
    more = paragraph(f"{left_out} more reasons are left out.") if left_out else None
    total = sum(problems.values())
    caption = f"Problems of {count(total, 'video')}, by reason"
    return table(caption, ["reason", "videos"], [(None, shown)]) + (more or "")


def _covered(known: Facts) -> Html | None:
    if known.scored is None:
        return None
    of = known.scored.coverage
    lines = [
        row("clips in the store", f"{of.expected:,}"),
        row("used for the scores", f"{of.used:,}"),
    ]
    lines += [row(f"  of these {part}", f"{clips:,}") for part, clips in of.parts.items()]
    lines.append(row("  of these without a person", f"{of.without_person:,}"))
    lines += [row(f"left out: {why}", f"{clips:,}") for why, clips in of.left_out.items()]
    return table("What the scores cover", ["", "clips"], [(None, lines)])
