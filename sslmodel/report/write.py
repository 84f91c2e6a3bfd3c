"""write_report(): the page of a run, written whole."""

from dataclasses import dataclass
from pathlib import Path

from poseprep.errors import InputError
from poseprep.files import write_whole
from sslmodel.report.collect import collect
from sslmodel.report.page import page


@dataclass(frozen=True)
class Report:
    """What was written. notes: what could not be shown, and why."""

    path: Path
    size: int
    notes: list[str]


def write_report(
    run_folder: Path, out: Path | None = None, store: Path | None = None, progress: bool = False
) -> Report:
    """Write all about a run to one HTML file, by default report.html in the run's folder.

    Scores that are not there yet are made, as `slr probe` does. Without the store there are no
    maps, no skeletons and no data quality.

    Args:
        store: where the run's store lies now, where it was moved.

    Raises:
        InputError: no such run, it or its scores are damaged, or `out` cannot be written.
    """
    out = out or run_folder / "report.html"
    if out.suffix not in (".html", ".htm"):
        raise InputError(f"{out}: expected the name of a page, such as report.html")
    known = collect(run_folder, store, progress)
    # A lone surrogate, half a letter, is in no name that was escaped; it would fit in no UTF-8.
    written = page(known).encode()
    try:
        write_whole(out, written)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from error
    notes = [f"no scores: {known.unscored}"] if known.unscored else []
    notes += [f"no maps, clips and data quality: {known.storeless}"] if known.storeless else []
    return Report(out, len(written), notes)
