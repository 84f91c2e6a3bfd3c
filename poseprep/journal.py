"""What an extraction has done so far: an append-only file beside the store it will become.

A store can only be written whole; an extraction of days must not start from zero. So every piece
of a clip goes into `OUT.partial` as it is measured, and one record seals each video that is done.
Whatever ends the program, the file holds every sealed video; what stands behind the last whole
record, and the pieces of videos that were not sealed or are damaged, do not count.

Format: `MAGIC`, then records: length (uint64) and CRC-32 (uint32) of what follows, length of a JSON
text (uint32), the text, a blob; little-endian. The text is `{"head": …}` first, then
`{"piece": key, "number": i}` with a packed piece as blob, and `{"sealed": …}`, an `Outcome`.
"""

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from poseprep.errors import InputError
from poseprep.files import sync_folder
from poseprep.outcome import ClipHead, Outcome
from poseprep.settings import check_same
from poseprep.stopping import stopping_waits

MAGIC = b"SLRPART1"
# A stop leaves less than this behind the last whole record: a piece, or a block of zeros.
_MOST_TORN = 2**26
_RECORD, _TEXT = struct.Struct("<QI"), struct.Struct("<I")


def journal_path(out: Path) -> Path:
    """Where the journal of a store lies: beside it, and beside its target if it is a link."""
    place = out.resolve()
    return place.with_name(f"{place.name}.partial")


def _stamp(out: Path) -> list[int]:
    """Tells one store at `out` from another; empty where there is none."""
    try:
        there = out.stat()
    except OSError:
        return []
    return [there.st_size, there.st_mtime_ns]


class Journal:
    """The journal of `out`, locked for this process; made where there is none.

    Args:
        head: the settings that decide the points; an unfinished journal must have the same.
        anew: whether what lies at `out` is to be replaced, not added to. An unfinished journal
            is then taken up only if it was begun so, with these settings, and `out` is as it was.

    Attributes:
        outcomes: video key → its last outcome.
        resumed: whether there was something in it already.
        replaces: whether the store at `out`, if any, does not count.

    Raises:
        InputError: another extraction to `out` is running, the journal is of other settings, is no
            journal, or cannot be written.
    """

    def __init__(self, out: Path, head: Mapping[str, Any], anew: bool = False):
        self.path = journal_path(out)
        self.outcomes: dict[str, Outcome] = {}
        # Clip key → where its blobs lie: offset and length.
        self._pieces: dict[str, list[tuple[int, int]]] = {}
        self._unsealed: dict[str, list[tuple[int, int]]] = {}
        self._out = out
        self._file = self._open()
        try:
            self._start(dict(head), _stamp(out) if anew else None)
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> BinaryIO:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.close()
                    raise InputError(
                        f"{self._out}: another `slr extract` is writing it at this moment (it "
                        f"holds {self.path}); wait for it to end, or give another OUT"
                    ) from None
                except OSError:
                    pass  # a file system without locks: two runs at once are not noticed
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.stat(self.path), os.fstat(file.fileno())):
                        return file
                file.close()  # the other one had just finished, and removed it
        except OSError as error:
            raise InputError(
                f"{self._out}: nothing can be written beside it ({error.strerror}); "
                "choose another place"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what the disk refuses into a message; a record is written whole, or not at all."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            with stopping_waits():
                yield
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(end)
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); what is done so far is kept. "
                "Make room, and run the same command again to continue"
            ) from error

    def _start(self, head: dict[str, Any], replaced: list[int] | None) -> None:
        """Take up what is there, or begin."""
        anew = replaced is not None
        there = self._head()
        same = there is not None and there == {"head": head, "replaced": replaced}
        self.resumed = there is not None and (same or not anew)
        if there is not None and self.resumed:
            check_same(there["head"], head, f"{self.path} (an unfinished extraction)")
            self.replaces = there["replaced"] is not None
            self._read()
            return
        self.replaces = anew
        with self._writing():
            self._file.truncate(0)
            self._file.write(MAGIC)
            self._append({"head": head, "replaced": replaced})
            self._sync()
            sync_folder(self.path.parent)

    def _head(self) -> dict[str, Any] | None:
        """The first record; None where there is nothing whole yet."""
        self._file.seek(0)
        if not MAGIC.startswith(self._file.read(len(MAGIC))):
            raise InputError(
                f"{self.path}: in the way, and not the journal of an extraction; move it"
            )
        first = next((text for text, *_ in self._records()), None)
        if first is not None and "head" not in first:
            raise InputError(f"{self.path}: damaged at its beginning; delete it to start anew")
        return first

    def _read(self) -> None:
        """Every whole record; what a killed process left behind the last one is cut off."""
        self._file.seek(len(MAGIC))
        whole = len(MAGIC)
        for text, blob, end in self._records():
            whole = end
            try:
                self._take(text, blob, end)
            except (KeyError, TypeError) as error:  # a whole record, but not one of ours
                raise InputError(
                    f"{self.path}: written by another version ({error}); delete it to start anew"
                ) from error
        lost = os.fstat(self._file.fileno()).st_size - whole
        if lost > _MOST_TORN:
            raise InputError(
                f"{self.path}: damaged at byte {whole}, and {lost:,} bytes behind it cannot be "
                "read; take it from a copy, or delete it to start anew"
            )
        self._file.truncate(whole)

    def _records(self) -> Iterator[tuple[dict[str, Any], int, int]]:
        """Every whole record: its text, the length of its blob, and where it ends."""
        at = self._file.tell()
        size = os.fstat(self._file.fileno()).st_size
        while (header := self._file.read(_RECORD.size)) and len(header) == _RECORD.size:
            length, checksum = _RECORD.unpack(header)
            at += _RECORD.size + length
            if at > size:
                return
            record = self._file.read(length)
            if length < _TEXT.size:
                return  # zeros, as a power cut leaves them
            if zlib.crc32(record) != checksum:
                continue  # its video is done again; those behind it need not be
            (text_length,) = _TEXT.unpack_from(record)
            text = record[_TEXT.size : _TEXT.size + text_length]
            yield json.loads(text), length - _TEXT.size - text_length, at

    def _take(self, text: dict[str, Any], blob: int, end: int) -> None:
        """What a record says; its blob has so many bytes, up to `end`."""
        if "piece" in text:
            pieces = self._unsealed.setdefault(text["piece"], [])
            if text["number"] == 0:  # what there was before, if anything, was never sealed
                pieces.clear()
            if text["number"] == len(pieces):
                pieces.append((end - blob, blob))
        elif "sealed" in text:
            sealed = text["sealed"]
            clips = [ClipHead(**clip) for clip in sealed.pop("clips")]
            pieces_of = {clip.key: self._unsealed.pop(clip.key, []) for clip in clips}
            if all(len(pieces_of[clip.key]) == clip.pieces for clip in clips):
                self._pieces |= pieces_of
                self.outcomes[sealed["video"]] = Outcome(clips=clips, **sealed)

    def add_piece(self, key: str, number: int, blob: bytes) -> None:
        """Append a piece of a clip; `number` counts them from 0."""
        with self._writing():
            self._append({"piece": key, "number": number}, blob)

    def seal(self, outcome: Outcome) -> None:
        """Append what came of a video; from now on it is done, whatever happens."""
        with self._writing():
            self._append({"sealed": asdict(outcome)})
            self._sync()

    def _append(self, text: dict[str, Any], blob: bytes = b"") -> None:
        words = json.dumps(text, ensure_ascii=True).encode()
        record = _TEXT.pack(len(words)) + words + blob
        data = memoryview(_RECORD.pack(len(record), zlib.crc32(record)) + record)
        while data:
            data = data[self._file.write(data) :]
        self._take(text, len(blob), self._file.seek(0, os.SEEK_END))

    def pieces(self, clip: ClipHead) -> Iterator[bytes]:
        """The packed pieces of a clip that was sealed."""
        for offset, length in self._pieces[clip.key]:
            self._file.seek(offset)
            yield self._file.read(length)

    def _sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """The store is complete: the journal is not needed any more."""
        with suppress(OSError):
            # Not that of a run which has begun since.
            if os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno())):
                self.path.unlink()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
