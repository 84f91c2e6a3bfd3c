"""What `slr pretrain` and `slr probe` print: figures turned into lines for a person."""

from poseprep.text import count, duration
from sslmodel.pretrain import Pretrained
from sslmodel.probe import Difference, ProbeResult, Score


def pretraining_summary(run: Pretrained) -> str:
    """What a run came to, and where it lies."""
    return "\n".join(
        [
            f"{run.folder}: {count(run.clips, 'clip')} without labels, "
            f"{count(run.epochs, 'epoch')} in {duration(run.seconds)}; split {run.split}",
            f"loss {run.loss:.4g}, feature spread {run.spread:.3f} (1 is even, 0 collapsed), "
            f"effective rank {run.rank:.1f}",
            *(f"warning: {warning}" for warning in run.warnings),
        ]
    )


def score_table(result: ProbeResult) -> str:
    """The scores beside their baselines, and what they are scores of."""
    coverage = result.coverage
    left_out = "".join(f", {clips} left out: {why}" for why, clips in coverage.left_out.items())
    rows = [_row(score) for score in result.scores]
    width = max(len(row[0]) for row in rows)
    head = ("", "top-1 %", "95 % interval", "top-5 %", "mean per sign %")
    lines = [
        f"{name:<{width}}" + "".join(f"{c:>17}" for c in cells) for name, *cells in [head, *rows]
    ]
    return "\n".join(
        [
            f"Linear evaluation: {count(coverage.signs, 'sign')}, split {result.split}",
            f"{count(coverage.used, 'clip')} of {coverage.expected}{left_out}: "
            + ", ".join(f"{part} {clips}" for part, clips in coverage.parts.items())
            + (f"; {coverage.without_person} show no person" if coverage.without_person else ""),
            "",
            *lines,
            "",
            *map(_difference, result.differences),
            "",
            f"Intervals: 95 %, {result.intervals} (Wilson's where all are hit or missed).",
            "Penalties chosen on val, test scored once.",
            *(f"note: {note}" for note in result.notes),
            f"Written to {result.folder}: scores.json, confusion.png",
        ]
    )


def _row(score: Score) -> tuple[str, ...]:
    low, high = score.top1_interval
    several = f" (mean of {score.encoders})" if score.encoders > 1 else ""
    return (
        score.features + several,
        f"{100 * score.top1:.1f}",
        f"{100 * low:.1f} – {100 * high:.1f}" if score.encoders else "",
        f"{100 * score.top5:.1f}",
        f"{100 * score.per_sign:.1f}",
    )


def _difference(difference: Difference) -> str:
    low, high = difference.interval
    return (
        f"encoder − {difference.against}: {100 * difference.top1:+.1f} points of top-1 "
        f"({100 * low:+.1f} to {100 * high:+.1f})"
    )
