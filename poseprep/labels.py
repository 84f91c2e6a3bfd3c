"""Who and what a clip shows: from a CSV, or from the names of the folders."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from poseprep.errors import InputError

SPLITS = ("", "train", "val", "test")


@dataclass(frozen=True)
class Label:
    """What is known of a clip; empty means unknown."""

    sign: str = ""
    signer: str = ""
    split: str = ""


@dataclass(frozen=True)
class Labels:
    """The label of every clip.

    Attributes:
        of: clip key → Label, for every key asked for.
        rows_without_video: keys of the CSV that no video has.
        videos_without_row: videos that the CSV does not name; their labels are empty.
    """

    of: dict[str, Label]
    rows_without_video: list[str] = field(default_factory=list)
    videos_without_row: list[str] = field(default_factory=list)


def find_labels(keys: list[str], table: str | Path | None = None) -> Labels:
    """Labels from a CSV where one is given, else the sign from each clip's parent folder.

    Raises:
        InputError: the CSV cannot be understood, or none of its rows names a video.
    """
    if table is None:
        return Labels({key: Label(sign=PurePosixPath(key).parent.name) for key in keys})
    rows = read_labels(table)
    known = set(keys)
    if not known & rows.keys():
        raise InputError(
            f"{table}: none of its {len(rows)} rows names a video; keys are paths below the "
            f"folder of videos, with the ending, such as {keys[0]!r}; the first row says "
            f"{next(iter(rows), 'nothing')!r}"
        )
    return Labels(
        {key: rows.get(key, Label()) for key in keys},
        rows_without_video=sorted(rows.keys() - known),
        videos_without_row=[key for key in keys if key not in rows],
    )


def read_labels(table: str | Path) -> dict[str, Label]:
    """Key → Label from a CSV with the columns `key` (or `clip`), `sign`, `signer`, `split`.

    Only the key is needed; other columns are not read. `,`, `;` and tab may separate.

    Raises:
        InputError: no such file, no table, no key column, a column or a key given twice, an
            unknown split, or segments (`start`, `end`), which this version does not cut.
    """
    path = Path(table)
    labels: dict[str, Label] = {}
    for line, row in _rows(path):
        where = f"{path}, line {line}"
        key = row.get("key", row.get("clip", "")).replace("\\", "/").removeprefix("./")
        if not key:
            raise InputError(f"{where}: the key is empty; every row must name a clip")
        if row.get("start") or row.get("end"):
            raise InputError(
                f"{where}: start and end are given; this version does not cut videos into "
                "segments: cut them first, or empty the two columns"
            )
        if key in labels:
            raise InputError(f"{where}: {key!r} stands twice; leave one row a clip")
        split = row.get("split", "").lower()
        if split not in SPLITS:
            raise InputError(f"{where}: split {split!r}; expected train, val, test or nothing")
        labels[key] = Label(row.get("sign", ""), row.get("signer", ""), split)
    return labels


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells, by the column's name in lower case, of every row of a table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: the labels cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text; save the table as CSV UTF-8") from error
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
