"""Who and what a clip shows: from a CSV, or from the names of the folders."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from poseprep.errors import InputError
from poseprep.segment import Segment, segment_key

SPLITS = ("", "train", "val", "test")


@dataclass(frozen=True)
class Label:
    """What is known of a clip; empty means unknown."""

    sign: str = ""
    signer: str = ""
    split: str = ""


@dataclass(frozen=True)
class Labels:
    """The clips of every video, and the label of every clip.

    Attributes:
        of: clip key → Label.
        clips: video key → its clips: the video itself, or its segments in the order of their keys.
        rows_without_video: keys of the CSV's clips whose video is not there.
        videos_without_row: videos that the CSV does not name; their labels are empty.
        source: "table" or "folders": where the labels are from.
    """

    of: dict[str, Label]
    clips: dict[str, tuple[Segment, ...]]
    rows_without_video: list[str] = field(default_factory=list)
    videos_without_row: list[str] = field(default_factory=list)
    source: str = "folders"


class Row(NamedTuple):
    """What a table says of one clip, and the key of the video that it is cut from."""

    video: str
    segment: Segment
    label: Label


def only(labels: Labels, keys: list[str]) -> Labels:
    """The labels of some of the videos."""
    clips = {key: labels.clips[key] for key in keys}
    without = set(labels.videos_without_row)
    return replace(
        labels,
        of={s.key: labels.of[s.key] for segments in clips.values() for s in segments},
        clips=clips,
        videos_without_row=[key for key in keys if key in without],
    )


def find_labels(keys: list[str], table: str | Path | None = None) -> Labels:
    """Labels of videos from a CSV where one is given, else the sign from each parent folder.

    Args:
        keys: of the videos.

    Raises:
        InputError: the CSV cannot be understood, or none of its rows names a video.
    """
    whole: dict[str, tuple[Segment, ...]] = {key: (Segment(key),) for key in keys}
    if table is None:
        return Labels({key: Label(sign=PurePosixPath(key).parent.name) for key in keys}, whole)
    rows = read_labels(table)
    known = set(keys)
    cut: dict[str, list[Segment]] = {}
    for row in rows.values():
        cut.setdefault(row.video, []).append(row.segment)
    if not known & cut.keys():
        raise _nothing_matches(table, rows, keys)
    clips = {
        key: tuple(sorted(cut[key], key=lambda segment: segment.key)) if key in cut else whole[key]
        for key in keys
    }
    named = {segment.key for segments in clips.values() for segment in segments}
    return Labels(
        {key: rows[key].label if key in rows else Label() for key in named},
        clips,
        rows_without_video=sorted(key for key, row in rows.items() if row.video not in known),
        videos_without_row=[key for key in keys if key not in cut],
        source="table",
    )


def find_clip_labels(keys: list[str], table: str | Path) -> Labels:
    """Labels from a CSV for clips that are extracted already; `keys` are the clips'.

    Raises:
        InputError: the CSV cannot be understood, or none of its rows names a clip.
    """
    rows = read_labels(table)
    known = set(keys)
    if not known & rows.keys():
        raise _nothing_matches(table, rows, keys)
    return Labels(
        {key: rows[key].label if key in rows else Label() for key in keys},
        {key: (Segment(key),) for key in keys},
        rows_without_video=sorted(rows.keys() - known),
        videos_without_row=[key for key in keys if key not in rows],
        source="table",
    )


def _nothing_matches(table: str | Path, rows: dict[str, Row], keys: list[str]) -> InputError:
    return InputError(
        f"{table}: none of its {len(rows)} rows names a video; keys are paths below the "
        f"folder of videos, with the ending, such as {next(iter(keys), 'hello/anna_1.mp4')!r}; "
        f"the first row says {next(iter(rows), 'nothing')!r}"
    )


def read_labels(table: str | Path) -> dict[str, Row]:
    """Clip key → Row from a CSV with the columns `key` (or `clip`), `sign`, `signer`, `split`.

    Only the key is needed; `start` and `end`, in seconds, cut a clip from the video (an empty
    `end` is the video's). Other columns are not read. `,`, `;` and tab may separate.

    Raises:
        InputError: no such file, no table, no key column, a column or a clip given twice, an
            unknown split, or times that are none.
    """
    path = Path(table)
    found: dict[str, Row] = {}
    for line, row in _rows(path):
        where = f"{path}, line {line}"
        video = row.get("key", row.get("clip", "")).replace("\\", "/").removeprefix("./")
        if not video:
            raise InputError(f"{where}: the key is empty; every row must name a clip")
        start, end = (_seconds(row.get(name, ""), name, where) for name in ("start", "end"))
        start, end = start or 0.0, math.inf if end is None else end
        if end <= start:
            raise InputError(f"{where}: the segment ends at {end:g} s, but starts at {start:g} s")
        key = segment_key(video, start, end)
        if key in found:
            raise InputError(f"{where}: {key!r} stands twice; leave one row a clip")
        split = row.get("split", "").lower()
        if split not in SPLITS:
            raise InputError(f"{where}: split {split!r}; expected train, val, test or nothing")
        label = Label(row.get("sign", ""), row.get("signer", ""), split)
        found[key] = Row(video, Segment(key, start, end), label)
    return found


def _seconds(text: str, name: str, where: str) -> float | None:
    """A time to the thousandth of a second; None where the cell is empty."""
    if not text:
        return None
    try:
        seconds = round(float(text.replace(",", ".")), 3)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e7:
        raise InputError(f"{where}: {name} {text!r}; expected seconds from the start, such as 1.25")
    return seconds


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells, by the column's name in lower case, of every row of a table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: the labels cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text; save the table as CSV UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}, line {line}: holds a NUL character; save the table as CSV UTF-8")
    header = next(io.StringIO(text, newline=""), "")
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(path, columns)
        for cells in reader:
            if len(cells) > len(columns):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, but {len(columns)} "
                    f'columns; put cells that hold {separator!r} between quotes ("…")'
                )
            if cells:
                # The last cells of a row may be left out.
                row = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
                yield reader.line_num, {name: cell.strip() for name, cell in row.items()}
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: no table that can be read ({error})"
        ) from error


def _check_columns(path: Path, columns: list[str]) -> None:
    if not {"key", "clip"} & set(columns):
        raise InputError(
            f"{path}: expected a column `key` (or `clip`) and any of sign, signer, split; "
            f"found {', '.join(columns) or 'nothing'}"
        )
    for name in filter(None, columns):  # columns without a name are not read
        if columns.count(name) > 1:
            raise InputError(f"{path}: the column {name!r} stands twice; leave one")
