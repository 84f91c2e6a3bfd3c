"""The tables that measurements print."""

import math
from collections.abc import Sequence

from poseprep.bench import Bench
from poseprep.signer.accuracy import Accuracy
from poseprep.signer.recovery import Recovery
from poseprep.wording import count


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
        lines.append(f"{row.what.replace('_', ' '):<12}{row.found:17.1%}{errors}")
    return "\n".join(lines)


def bench_table(bench: Bench) -> str:
    """`slr bench extract`: the first row is what the others are compared with."""
    plain, *_ = bench.rows
    lines = [
        f"{count(bench.videos, 'video')}, {count(plain.frames, 'frame')}; {bench.machine}",
        "",
        f"{'':<42}{'frames/s':>10}{'speed':>8}{'CPU ms/frame':>14}{'peak MiB':>10}"
        f"{'bytes/frame':>13}",
    ]
    for row in bench.rows:
        stored = f"{row.bytes:13,.0f}" if row.bytes else f"{'–':>13}"
        lines.append(
            f"{row.name:<42}{row.rate:10.1f}{row.rate / plain.rate:7.2f}×{row.cpu_ms:14.1f}"
            f"{row.peak_mib:10.0f}{stored}"
        )
    lines += [
        "",
        f"CPU inside MediaPipe's own process(), in the plain loop: {bench.inside_ms:.1f} ms/frame",
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
            f"{row.kind.replace('_', ' '):<12}{row.there:8,}{row.lost:8,}{row.recovered:11,}"
            f"{middle:>9}{high:>8}{row.absent:9,}{row.invented:10,}{row.swapped:9,}"
        )
    return "\n".join(lines)
