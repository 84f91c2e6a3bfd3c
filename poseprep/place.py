"""Where a store or a report may be written: told before long work, not after it."""

from pathlib import Path

from poseprep.errors import InputError
from poseprep.files import Draft
from poseprep.store_file import is_hdf5


def check_place(out: Path) -> None:
    """Raises InputError where `out` cannot be a store's place, or holds something else."""
    if out.suffix != ".h5":
        raise InputError(f"{out}: expected the name of the store to write, ending in .h5")
    try:
        out.resolve()
        if out.is_dir():
            raise InputError(f"{out}: expected a file to write, such as out.h5; this is a folder")
        if out.exists() and not (out.is_file() and is_hdf5(out)):
            raise InputError(f"{out}: already there, and no store; it is not overwritten")
    except (OSError, RuntimeError) as error:  # a name too long, links in a ring, no permission
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{out}: cannot be written ({reason}); choose another place") from error


def check_report_place(out: Path) -> None:
    """Raises InputError where no file can be written, by trying; what is there stays."""
    try:
        if out.is_dir():
            raise InputError(f"{out}: expected a file to write; this is a folder")
        if not out.resolve().parent.is_dir():
            raise InputError(
                f"{out}: expected a place in a folder that is there, found no folder {out.parent}; "
                "make it, or choose another place"
            )
        Draft(out).discard()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{out}: cannot be written ({reason}); choose another place") from error
