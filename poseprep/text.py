"""What the commands print: figures turned into lines for a person."""

from pathlib import Path

from poseprep.arrays import Imported
from poseprep.effort import BYTES_A_FRAME, seconds_a_frame
from poseprep.extract import Extraction
from poseprep.labels import Labels
from poseprep.landmarker_words import bundle_words, landmarker_words, place_words
from poseprep.merge import Merged
from poseprep.quality import Coverage, describe_store
from poseprep.store import KeypointStore
from poseprep.summary import Summary
from poseprep.wording import count, duration, printable, show_nobody, size, some

_NAMED = 5  # how many of many are named


# A hand may leave the picture, but not by so much.
_LARGEST_FRACTION = 20


def extraction_plan(extraction: Extraction, frames: int) -> str:
    """Before the start: what lies ahead. `frames` may be 0 for "not known"."""
    found, inventory, shard = extraction.found, extraction.inventory, extraction.options.shard
    lines = [count(len(found.videos), "video") + (f" in shard {shard}" if shard else "")]
    if inventory.done:
        kinds = (("new", inventory.new), ("changed", inventory.changed), ("again", inventory.again))
        left = ", ".join(f"{len(keys):,} {kind}" for kind, keys in kinds if keys)
        lines[0] += f"; {count(inventory.done - inventory.problems, 'clip')} done already"
        if inventory.problems:
            lines[0] += (
                f", {count(inventory.problems, 'known problem')} (--retry-problems tries again)"
            )
        lines[0] += f"; to do: {left}" if left else "; nothing is left to do"
        if extraction.resumed:
            lines[0] = "Continuing. " + lines[0]
    if inventory.tasks:
        lines[0] += ", " + _effort(extraction, frames)
        if bundle := bundle_words(extraction.landmarker, extraction.settings.model):
            lines.append(f"taken: {bundle}; the other networks are MediaPipe's own")
        if extraction.options.compile:
            lines.append("the networks are compiled for the GPU first, which takes minutes")
    if found.others:
        names = sorted(path.name for path in found.others)
        lines.append(f"{count(len(names), 'other file')} left alone: {some(names)}")
    if inventory.without_video:
        keys = inventory.without_video
        fate = "dropped (--prune)" if extraction.options.prune else "kept; --prune drops them"
        lines.append(f"{count(len(keys), 'clip')} without a video any more, {fate}: {some(keys)}")
    return "\n".join([*lines, *labels_remarks(extraction.labels)])


def _effort(extraction: Extraction, frames: int) -> str:
    workers, on_cluster = extraction.workers, bool(extraction.options.dask)
    where = "on the cluster" if on_cluster else f"with {count(workers, 'worker')}"
    if place := place_words(extraction.landmarker):
        where += f", {place}" if on_cluster else f" {place}"
    if not frames:
        return f"length not known beforehand, nor the time and disk it takes; {where}"
    seconds = None if on_cluster else seconds_a_frame(extraction.landmarker)
    time = "" if seconds is None else f"about {duration(frames * seconds / workers)} "
    return f"about {frames:,} frames; {time}{where}, {size(frames * BYTES_A_FRAME)} on disk"


def labels_remarks(labels: Labels) -> list[str]:
    """Where the table of labels and the videos do not meet."""
    remarks = []
    if labels.rows_without_video:
        rows = labels.rows_without_video
        remarks.append(f"labels: {count(len(rows), 'row')} without a video: {some(rows)}")
    if labels.videos_without_row:
        keys = labels.videos_without_row
        remarks.append(f"labels: {count(len(keys), 'video')} without a row: {some(keys)}")
    return remarks


def extraction_summary(summary: Summary, out: Path) -> str:
    """After the end: what came of it."""
    if summary.stopped:
        key, reason = next(iter(summary.problems.items()))
        return (
            f"Stopped at the first problem, as --strict asks. {printable(f'{key}: {reason}')}\n"
            f"{out} is as it was; what is done is kept. Mend it and run the same command again."
        )
    rate = summary.measured / summary.seconds if summary.seconds else 0.0
    found = ", ".join(
        f"{part.replace('_', ' ')} {frames / max(1, summary.frames):.1%}"
        for part, frames in summary.found_frames.items()
    )
    lines = [
        f"{out}: {count(summary.clips, 'clip')}, {count(summary.frames, 'frame')}, "
        f"{size(summary.bytes)}"
    ]
    if summary.measured:
        lines[0] += (
            f"; {count(summary.measured, 'frame')} measured in {duration(summary.seconds)} "
            f"({rate:.1f} frames/s)"
        )
    if summary.frames:
        lines.append(f"frames with: {found}")
    if summary.empty:
        lines.append(
            f"nobody was found in {count(len(summary.empty), 'clip')}: {some(summary.empty)}"
        )
    if summary.problems:
        lines.append(
            f"{count(len(summary.problems), 'problem')} (kept in the store; "
            f"`slr info {out}` lists them):"
        )
        first = list(summary.problems.items())[:_NAMED]
        lines += [printable(f"  {key}: {reason}") for key, reason in first]
    return "\n".join(lines)


def merged_summary(merged: Merged, out: Path) -> str:
    """What `slr merge` joined."""
    lines = [f"{out}: {count(merged.clips, 'clip')}, {count(merged.frames, 'frame')}"]
    if merged.problems:
        lines[0] += f", {count(merged.problems, 'problem')} (`slr info {out}` lists them)"
    if merged.duplicates:
        lines.append(f"{count(merged.duplicates, 'clip')} stood in several stores, and once here")
    if merged.labels_differ:
        keys = merged.labels_differ
        lines.append(f"{count(len(keys), 'clip')} with other labels elsewhere: {some(keys)}")
    if merged.missing_shards:
        lines.append(f"not all shards are here; missing: {', '.join(merged.missing_shards)}")
    return "\n".join(lines)


def clip_lines(store: KeypointStore) -> str:
    """One clip a line: key, frames, sign, signer, split, tab between."""
    columns = [store.columns[name] for name in ("key", "length", "sign", "signer", "split")]
    return "\n".join(
        "\t".join(printable(str(cell)) for cell in row) for row in zip(*columns, strict=True)
    )


def store_description(store: KeypointStore) -> str:
    """A store, described to a person."""
    about = describe_store(store)
    sizes = sorted(about.sizes, key=lambda key: -about.sizes[key])
    shown_sizes = some([f"{w}×{h}" if w else "unknown" for w, h in sizes])
    length = f" ({duration(about.seconds)} of video)" if about.seconds else ""
    made_by = landmarker_words(store.landmarker, str(store.settings.get("model", "")))
    lines = [
        f"{store.path}: {count(about.clips, 'clip')}, {count(about.frames, 'frame')}{length}, "
        f"{size(store.path.stat().st_size)}",
        f"  made        {store.created} by {store.tool}, landmarker {made_by}",
        f"  video       {shown_sizes} pixels, {_frame_rate(*about.fps)}",
        f"  points      {len(store.skeleton)}: "
        + ", ".join(f"{part} {s.stop - s.start}" for part, s in store.skeleton.parts.items()),
        f"  signs       {_counted(about.signs)}",
        f"  signers     {_counted(about.signers)}",
        f"  splits      {_counted(about.splits)}",
        f"  content     {store.content_hash()}",
        "",
        "Frames in which each part was found:",
        *_coverage_table([about.total, *about.by_signer], list(store.skeleton.parts)),
    ]
    problems = store.problems
    lines += ["", count(len(problems), "problem") + (":" if problems else "")]
    lines += [printable(f"  {problem.key}: {problem.reason}") for problem in problems]
    return "\n".join(lines)


def _frame_rate(lowest: float, highest: float) -> str:
    if not highest:
        return "unknown frame rate"
    slow = f"{lowest:g}" if lowest else "unknown"
    return f"{highest:g} frames/s" if lowest == highest else f"{slow}–{highest:g} frames/s"


def _counted(names: dict[str, int]) -> str:
    known = {name: clips for name, clips in names.items() if name}
    shown = some([f"{name} ({clips})" for name, clips in sorted(known.items())])
    unknown = f"unknown in {count(names[''], 'clip')}" if "" in names else ""
    total = f"{len(known)}: {shown}" if known else ""
    return "; ".join(filter(None, (total, unknown))) or "none"


def _coverage_table(rows: list[Coverage], parts: list[str]) -> list[str]:
    names = [printable(row.name) for row in rows]
    width = max(map(len, names))
    head = "  " + " " * width + "   clips   frames" + "".join(f"{part:>12}" for part in parts)
    return [head] + [
        f"  {name:<{width}}{row.clips:8}{row.frames:9}"
        + "".join(f"{row.found[part]:12.1%}" for part in parts)
        for name, row in zip(names, rows, strict=True)
    ]


def imported_summary(found: Imported, out: Path) -> str:
    """What an import made, and what is not known of it."""
    signers, fps = found.signers.keys() - {""}, found.settings.fps
    parts = [f"{name or 'none'} {clips:,}" for name, clips in sorted(found.splits.items())]
    unknown = {
        "frames a second (25 was taken for the times)": fps is None,
        "the picture's aspect (x and y were taken as they are)": found.settings.aspect is None,
        f"the sign of {count(found.signs[''], 'clip')}": found.signs[""] > 0,
        f"the signer of {count(found.signers[''], 'clip')}": found.signers[""] > 0,
    }
    lines = [
        f"{out}: {count(found.clips, 'clip')}, {count(found.frames, 'frame')}, skeleton "
        f"{found.skeleton}, {count(len(found.signs.keys() - {''}), 'sign')}, "
        f"{count(len(signers), 'signer')}; split {', '.join(parts)}",
        *(
            f"{part}: missing in {missing:,} of {found.frames:,} frames"
            for part, missing in found.missing.items()
            if missing
        ),
    ]
    if found.torn:
        lines.append(
            f"{count(found.torn, 'frame')} lost a hand or face that was there in part only"
        )
    if found.empty:
        lines.append(show_nobody(found.empty))
    if found.largest > _LARGEST_FRACTION:
        lines.append(
            f"x and y go up to {found.largest:.0f}: are they pixels? They should be fractions of "
            "the picture's height, or with --aspect of its width and height"
        )
    if any(unknown.values()):
        lines.append("not known: " + "; ".join(what for what, is_so in unknown.items() if is_so))
    if found.ignored:
        lines.append(f"not read: {', '.join(map(printable, found.ignored))}")
    return "\n".join(lines)
