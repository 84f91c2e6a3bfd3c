"""The tables that measurements print."""

import math
from collections.abc import Sequence

from poseprep.bench import Bench
from poseprep.bench_parity import Parity
from poseprep.landmarker_words import landmarker_words
from poseprep.signer.accuracy import Accuracy
from poseprep.signer.recovery import Recovery
from poseprep.wording import count, printable


def accuracy_table(rows: list[Accuracy]) -> str:
    """Keypoints against the drawn signer's truth."""
    lines = [
        "Against the truth; errors in shoulder widths",
        f"{'':<12}{'found in frames':>17}{'median error':>15}{'95th percentile':>17}",
    ]
    for row in rows:
        errors = (
            f"{'–':>15}{'–':>17}"
            if math.isnan(row.median)
            else f"{row.median:15.3f}{row.percentile95:17.3f}"
        )
        lines.append(f"{_words(row.what):<12}{row.found:17.1%}{errors}")
    return "\n".join(lines)


def bench_table(bench: Bench) -> str:
    """`slr bench extract`: rows are compared with the plain loop of their mode, the first row."""
    wide = 2 + max(len(row.name) for row in bench.rows)
    frames, video = bench.rows[0].frames, bench.plain("video")
    lines = [
        f"{count(bench.videos, 'video')}, {count(frames, 'frame')}; {bench.machine}",
        "",
        f"{'':<{wide}}{'frames/s':>10}{'speed':>8}{'× video':>9}{'CPU ms/frame':>14}{'a core':>9}"
        f"{'peak MiB':>10}{'bytes/frame':>13}",
    ]
    for row in bench.rows:
        plain = bench.plain(row.mode)
        if row is plain and len(lines) > 3:
            lines.append("")
        stored = f"{row.bytes:13,.0f}" if row.bytes else f"{'–':>13}"
        lines.append(
            f"{row.name:<{wide}}{row.rate:10.1f}{row.rate / plain.rate:7.2f}×"
            f"{row.rate / video.rate:8.2f}×{row.cpu_ms:14.1f}{plain.cpu_ms / row.cpu_ms:8.2f}×"
            f"{row.peak_mib:10.0f}{stored}"
        )
    inside = ", ".join(f"{ms:.1f} ms/frame ({mode})" for mode, ms in bench.inside_ms.items())
    lines += [
        "",
        f"CPU inside MediaPipe's own process(), in the plain loop: {inside}",
        f"reading body and hands from the store: {bench.read_rate:,.0f} frames/s",
    ]
    return "\n".join(lines)


def recovery_table(rows: Sequence[Recovery]) -> str:
    """`slr bench recover`: hands lost and recovered; errors are of fingertips."""
    lines = [
        "Hands in drawn clips; errors of recovered fingertips in shoulder widths",
        f"{'':<12}{'there':>8}{'lost':>8}{'recovered':>11}{'median':>9}{'95th':>8}"
        f"{'absent':>9}{'invented':>10}{'swapped':>9}",
    ]
    for row in rows:
        middle, high = (f"{row.percentile(share):.3f}" if row.errors else "–" for share in (50, 95))
        lines.append(
            f"{_words(row.kind):<12}{row.there:8,}{row.lost:8,}{row.recovered:11,}"
            f"{middle:>9}{high:>8}{row.absent:9,}{row.invented:10,}{row.swapped:9,}"
        )
    return "\n".join(lines)


def _met(parity: Parity) -> str:
    if not parity.met:
        return "NOT met"
    empty = [_words(row.part) for row in parity.parts if not row.both]
    return f"met, but without a distance: {', '.join(empty)} never found" if empty else "met"


def parity_table(parity: Parity) -> str:
    """`slr bench parity`: presence and distance of every part, and whether the limits are kept."""
    lines = [
        f"{count(parity.videos, 'video')}, {count(parity.frames, 'frame')}; {parity.machine}",
        f"reference: {landmarker_words(parity.reference)}",
        f"candidate: {landmarker_words(parity.candidate)}",
        "",
        "Frames in which a part was found, and distances in x and y, % of the frame height",
        f"{'':<12}{'both':>9}{'neither':>9}{'only ref.':>11}{'only cand.':>12}{'agreement':>11}"
        f"{'median':>9}{'95th':>9}{'maximum':>9}{'same bits':>11}",
    ]
    for row in parity.parts:
        apart = (row.median, row.percentile95, row.largest)
        distances = "".join(f"{each:9.4f}" if row.both else f"{'–':>9}" for each in apart)
        same = f"{row.equal / row.both:11.1%}" if row.both else f"{'–':>11}"
        lines.append(
            f"{_words(row.part):<12}{row.both:9,}{row.neither:9,}{row.only_reference:11,}"
            f"{row.only_candidate:12,}{row.agreement:10.2f}%{distances}{same}"
        )
    if parity.worst:
        lines += ["", "Furthest apart (frames count from 0)"]
        lines += [
            f"{printable(apart.video)}, frame {apart.frame}, {_words(apart.part)}: "
            f"{apart.distance:.4f} %"
            for apart in parity.worst
        ]
    if parity.problems:
        lines += ["", "Not read, or not to the end"]
        lines += [printable(f"{key}: {reason}") for key, reason in parity.problems.items()]
    limits = parity.limits
    lines += [
        "",
        f"Parity ({_met(parity)}): agreement of {limits.agreement:g} % at "
        f"least, median {limits.median:g} % and 95th percentile {limits.percentile95:g} % at most",
    ]
    lines += [f"{_words(part)}: {', '.join(found)}" for part, found in parity.lacks.items()]
    return "\n".join(lines)


def _words(part: str) -> str:
    return part.replace("_", " ")
