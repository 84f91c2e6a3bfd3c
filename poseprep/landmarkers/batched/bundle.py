"""The networks in a .task bundle, a zip archive: a stranger's file, never unpacked to disk."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from poseprep.errors import InputError
from poseprep.wording import some

# The largest of MediaPipe's networks has 26 MB.
_MOST_BYTES = 200 << 20
_MOST_MEMBERS = 64
# ValueError: a name that is no UTF-8.
_DAMAGE = (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error)


def members(bundle: Path) -> Iterator[tuple[str, bytes]]:
    """The name and bytes of every .tflite file in a bundle, one at a time.

    Raises:
        InputError: it is no zip archive, cannot be read, has no such file or too large ones.
    """
    try:
        with ZipFile(bundle) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(".tflite")]
            if not infos:
                if inner := [name for name in archive.namelist() if name.endswith(".task")]:
                    raise InputError(
                        f"{bundle}: expected .tflite networks, found other bundles with them "
                        f"({some(inner)}); unzip it, and give one of these"
                    )
                raise _error(bundle, f"none in {len(archive.namelist())} files")
            if len(infos) > _MOST_MEMBERS or sum(i.file_size for i in infos) > 2 * _MOST_BYTES:
                raise _error(bundle, "an archive too large for one")
            for info in infos:
                if info.file_size > _MOST_BYTES:
                    raise _error(bundle, f"{info.filename} of {info.file_size >> 20} MB")
                with archive.open(info) as member:
                    # Never more than it says, whatever is packed in there.
                    yield info.filename, member.read(info.file_size)
    except FileNotFoundError as error:
        raise InputError(
            f"{bundle}: expected a .task bundle of MediaPipe's, found no such file; see to its name"
        ) from error
    except IsADirectoryError as error:
        raise _error(bundle, "a folder") from error
    except BadZipFile as error:
        raise _error(bundle, f"no zip archive, or a damaged one ({error})") from error
    # Encrypted; packed in a way that Python does not know; damaged; not to be read at all.
    except (RuntimeError, NotImplementedError, *_DAMAGE) as error:
        reason = getattr(error, "strerror", None) or error
        raise _error(bundle, f"what cannot be read ({reason})") from error


def _error(bundle: Path, found: str) -> InputError:
    return InputError(
        f"{bundle}: expected a .task bundle of MediaPipe's with .tflite networks of up to "
        f"{_MOST_BYTES >> 20} MB, found {found}; download it again, or leave it out"
    )
