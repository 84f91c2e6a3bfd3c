"""Who and what a clip shows: from a CSV, or from the names of the folders."""

import csv
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from poseprep.errors import InputError

COLUMNS = ("key", "sign", "signer", "split")
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
        InputError: no such file, no key column, a key given twice, an unknown split, or
            segments (`start`, `end`), which this version does not cut.
    """
    path = Path(table)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: the labels cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text; save the table as CSV UTF-8") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=max(",;\t", key=header.count))
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    key_column = columns.get("key", columns.get("clip"))
    if key_column is None:
        raise InputError(
            f"{path}: expected a column `key` (or `clip`) and any of sign, signer, split; "
            f"found {', '.join(columns) or 'nothing'}"
        )
    labels: dict[str, Label] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"

        def cell(column: str, row: dict[str, str | None] = row) -> str:
            return (row.get(columns.get(column, "")) or "").strip()

        key = (row[key_column] or "").strip().replace("\\", "/").removeprefix("./")
        if not key:
            raise InputError(f"{where}: the key is empty; every row must name a clip")
        if cell("start") or cell("end"):
            raise InputError(
                f"{where}: start and end are given; this version does not cut videos into "
                "segments: cut them first, or empty the two columns"
            )
        if key in labels:
            raise InputError(f"{where}: {key!r} stands twice; leave one row a clip")
        split = cell("split").lower()
        if split not in SPLITS:
            raise InputError(f"{where}: split {split!r}; expected train, val, test or nothing")
        labels[key] = Label(cell("sign"), cell("signer"), split)
    return labels
