"""What `slr pretrain` and `slr probe` print: figures turned into lines for a person."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from poseprep.wording import count, duration, show_nobody
from sslmodel.embed import Embedded
from sslmodel.measures import PAIRS
from sslmodel.pretrain import Pretrained
from sslmodel.probe import ENCODER, RAW, UNTRAINED, ProbeResult
from sslmodel.scores import Difference, Score
from sslmodel.transfer import NotProbed

if TYPE_CHECKING:
    from sslmodel.compare import Comparison, Lead, Mean
    from sslmodel.search import Found
    from sslmodel.trial import Question, Trial


def pretraining_summary(run: Pretrained) -> str:
    """What a run came to, and where it lies."""
    return "\n".join(
        [
            f"{run.folder}: {count(run.clips, 'clip')} without labels, "
            f"{count(run.epochs, 'epoch')} in {duration(run.seconds)}; split {run.split}",
            f"loss {run.loss:.4g}, feature spread {run.spread:.3f} (1 is even, 0 collapsed), "
            f"effective rank {run.rank:.1f}",
            *(f"warning: {warning}" for warning in (*run.warnings, run.advice) if warning),
        ]
    )


def embedded_summary(made: Embedded) -> str:
    """What was embedded, and what could not be seen."""
    lines = [f"{made.out}: {count(made.clips, 'embedding')} of {made.features} numbers"]
    if made.without_person:
        lines.append(f"note: {show_nobody(made.without_person)} (`person` is 0)")
    if made.missing:
        lines.append(f"note: {count(len(made.missing), 'point')} of the encoder's are not there")
    return "\n".join(lines)


def score_table(result: ProbeResult) -> str:
    """The scores beside their baselines, and what they are scores of."""
    coverage = result.coverage
    left_out = "".join(f", {clips} left out: {why}" for why, clips in coverage.left_out.items())
    groups = dict.fromkeys((score.measure, score.labels) for score in result.scores)
    width = 4 + max(len(_features(score)) for score in result.scores)
    files = "scores.json, predictions.csv, confusion.png"
    return "\n".join(
        [
            f"{count(coverage.signs, 'sign')}, split {result.split}",
            f"{count(coverage.used, 'clip')} of {coverage.expected}{left_out}: "
            + ", ".join(f"{part} {clips}" for part, clips in coverage.parts.items())
            + (f"; {show_nobody(coverage.without_person)}" if coverage.without_person else ""),
            *(line for group in groups for line in _group(result, *group, width)),
            "",
            f"Intervals: 95 %, {result.intervals}; and over encoders and draws, where several",
            "(Wilson's where all are hit or missed). Penalties chosen on val or folds of train and",
            "val, never on test.",
            *(f"note: {note}" for note in result.notes),
            f"Written to {result.folder}: {files}",
        ]
    )


_COLUMNS = {"top1": "top-1 %", "top5": "top-5 %", "per_sign": "per sign %"}
_RETRIEVAL_COLUMNS = {"map": "mAP %", "r1": "R@1 %", "r5": "R@5 %"}


def _group(result: ProbeResult, measure: str, labels: str, width: int) -> list[str]:
    """One question: its head, and a line for everything that was asked it."""
    rows = [score for score in result.scores if (score.measure, score.labels) == (measure, labels)]
    leads = {d.against: d for d in result.differences if (d.measure, d.labels) == (measure, labels)}
    columns = _COLUMNS if "top1" in rows[0].values else _RETRIEVAL_COLUMNS
    first, *others = columns
    share = f"{100 * rows[0].share:.3g} % of the labels"
    head = f"{measure}, {labels}: {rows[0].labelled:,.0f} labelled clips, {share}"
    names = [
        columns[first],
        "95 % interval",
        *(columns[o] for o in others),
        f"{rows[0].features} −",
    ]
    lines = [
        "",
        head,
        " " * width + "".join(f"{n:>{w}}" for n, w in zip(names, _WIDTHS, strict=True)),
    ]
    for row in rows:
        low, high = row.intervals[first]
        cells = [
            f"{100 * row.values[first]:.1f}",
            f"{100 * low:.1f} – {100 * high:.1f}" if row.encoders else "",
            *(f"{100 * row.values[o]:.1f}" if o in row.values else "" for o in others),
            _lead(leads[row.features]) if row.features in leads else "",
        ]
        lines.append(f"{'  ' + _features(row):<{width}}" + _aligned(cells))
    return lines


def _aligned(cells: Sequence[str]) -> str:
    return "".join(f"{c:>{w}}" for c, w in zip(cells, _WIDTHS, strict=True)).rstrip()


_WIDTHS = (9, 16, 9, 12, 24)


def _features(score: Score) -> str:
    several = (("encoders", score.encoders), ("draws", score.draws))
    means = " × ".join(f"{many} {what}" for what, many in several if many > 1)
    return score.features + (f" (mean of {means})" if means else "")


def _lead(difference: Difference) -> str:
    low, high = difference.interval
    return f"{_points(difference.value)} ({_points(low)} to {_points(high)})"


def _points(share: float) -> str:
    """In points of percent with its sign, and no minus before a zero."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def matches_table(found: "Found") -> str:
    """The nearest signs, the nearest first."""
    rows = [("similarity", "sign", "clip", "signer")]
    rows += [(f"{m.similarity:.3f}", m.sign or "–", m.key, m.signer) for m in found.matches]
    return "\n".join([*_columns(rows), *(f"note: {note}" for note in found.notes)])


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def transfer_table(results: Sequence[ProbeResult | NotProbed]) -> str:
    """Pretrained on × probed on: top-1 of linear evaluation, and what pretraining bought."""
    runs = list(dict.fromkeys(str(result.run) for result in results))
    stores = list(dict.fromkeys(str(result.store) for result in results))
    cells = {(str(r.run), str(r.store)): _transfer_cell(r) for r in results}
    reasons = [
        f"no score, {r.run} on {r.store}: {r.why}" for r in results if isinstance(r, NotProbed)
    ]
    width = max(len("pretrained on"), *map(len, runs)) + 2
    column = max(34, *(len(store) + 2 for store in stores))
    lines = [
        "Transfer: top-1 % of linear evaluation with all labels (encoder − untrained, 95 %)",
        f"{'pretrained on':<{width}}" + "".join(f"{store:>{column}}" for store in stores),
    ]
    lines += [
        f"{run:<{width}}" + "".join(f"{cells.get((run, store), ''):>{column}}" for store in stores)
        for run in runs
    ]
    return "\n".join([*lines, *reasons])


def _transfer_cell(result: ProbeResult | NotProbed) -> str:
    if isinstance(result, NotProbed):
        return "no score"
    row = max((s for s in result.scores if s.measure == "linear"), key=lambda s: s.share)
    lead = [
        d
        for d in result.differences
        if (d.measure, d.labels, d.against) == ("linear", row.labels, UNTRAINED)
    ]
    return f"{100 * row.values['top1']:.1f}" + (f" ({_lead(lead[0])})" if lead else "")


def results_table(rows: Sequence[Mapping[str, str]]) -> str:
    """The rows of results.csv, the newest last, with the figures that are asked for most."""
    wanted = {
        "linear 100 %: encoder": "linear %",
        "linear 10 %: encoder": "10 % labels",
        "linear 100 %: untrained encoder": "untrained %",
        "linear 100 %: raw coordinates": "raw %",
        "kNN 100 %: encoder": "kNN %",
        "retrieval 100 %: encoder": "mAP %",
    }
    plain = ("run", "objective", "seed", "store", "part", "clips", "signs", "times_scored")
    table = [[*plain, *wanted.values(), "marked"]]
    for row in rows:
        figures = (row.get(name, "") for name in wanted)
        marks = [mark for words, mark in _MARKS.items() if words in row.get("notes", "")]
        cells = [*(row.get(name, "") for name in plain), *map(_percent, figures)]
        table.append([*cells, ", ".join(marks)])
    return "\n".join(_columns(table))


# What a note says → what a score is marked with.
_MARKS = {
    "not signer-independent, so": "signers leak",
    "whom pretraining saw": "known signers?",
    "transductive": "transductive",
}


def _percent(figure: str) -> str:
    """A share as a table of results has it, as percent; what is no number stays as it is."""
    try:
        return f"{100 * float(figure):.1f}"
    except ValueError:
        return figure


def trial_line(trial: "Trial") -> str:
    """One run of a comparison, as it is done."""
    said = f"{trial.row}, seed {trial.seed}: "
    if trial.failed:
        return said + trial.failed
    figures = [
        f"{measure} {labels} {100 * trial.values((measure, labels))[ENCODER].mean():.1f}"
        for measure, labels in trial.answers
    ]
    return said + ("collapsed; " if trial.collapsed else "") + ", ".join(figures)


def comparison_tables(found: "Comparison") -> str:
    """Markdown: the means with their intervals, and which differences are sure."""
    questions = list(dict.fromkeys(mean.question for mean in found.means))
    pairs = [question for question in questions if question[0] == PAIRS]
    lines = _means_table(found, [question for question in questions if question not in pairs])
    seeds = {mean.seeds for mean in found.means if mean.row != RAW}
    over = count(max(seeds), "seed") if len(seeds) == 1 else "seeds, as many as the row says"
    lines += [
        "",
        f"Mean over {over}, and the half width of its 95 % interval: top-1 %, for "
        f"retrieval mAP %; {found.intervals}, over seeds and over draws of the labels.",
        "",
        "Differences of linear evaluation, paired over clips, draws and seeds; "
        "**bold** where the 95 % interval leaves out 0:",
        "",
    ]
    linear = [question for question in questions if question[0] == "linear"]
    leads = {(lead.row, lead.against, lead.question): lead for lead in found.leads}
    of_rows = list(dict.fromkeys((lead.row, lead.against) for lead in found.leads))
    lines += _markdown(
        ["", *(labels for _, labels in linear)],
        [
            [f"{a} − {b}", *(_sure(leads[a, b, question]) for question in linear)]
            for a, b in of_rows
        ],
    )
    if pairs:
        lines += [
            "",
            "Minimal pairs, signs that differ in one parameter: how often the linear classifier "
            "prefers a clip's own sign to the other, %; chance is 50:",
            "",
            *_means_table(found, pairs),
        ]
    if found.collapsed:
        lines += ["", f"Collapsed: {'; '.join(found.collapsed)}."]
    lines += ["", *(f"Not finished: {run}: {why}" for run, why in found.failed.items())]
    lines += ["", *(f"Note: {note}." for note in found.notes)]
    return "\n".join(lines).rstrip()


def _means_table(found: "Comparison", questions: Sequence["Question"]) -> list[str]:
    """A row for all that was trained and every baseline, a column for every question."""
    cells = {(mean.row, mean.question): mean for mean in found.means}
    rows = dict.fromkeys(mean.row for mean in found.means)
    collapsed = {run.partition(",")[0] for run in found.collapsed}
    heads = [
        labels if measure == PAIRS else f"{measure}, {labels}" for measure, labels in questions
    ]
    seeds = {mean.row: mean.seeds for mean in found.means if mean.row != RAW}
    names = {row: row for row in rows}
    for row, own in seeds.items():
        if len(set(seeds.values())) > 1:
            names[row] += f", {count(own, 'seed')}"
        if row in collapsed:
            names[row] += " (collapsed)"
    return _markdown(
        ["", *heads],
        [
            [
                names[row],
                *(
                    _mean(cells[row, question]) if (row, question) in cells else "–"
                    for question in questions
                ),
            ]
            for row in rows
        ],
    )


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _mean(mean: "Mean") -> str:
    low, high = mean.interval
    return f"{100 * mean.value:.1f} ± {50 * (high - low):.1f}"


def _sure(lead: "Lead") -> str:
    low, high = lead.interval
    text = f"{_points(lead.value)} ({_points(low)} to {_points(high)})"
    return f"**{text}**" if lead.sure else text
