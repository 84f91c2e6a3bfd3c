"""What a video file's outermost structure says: its kind, its whole size, how long it shows.

FFmpeg reads what is there of a file that was cut, and says nothing; and it counts frames that an
edit list hides (`ffmpeg -ss -c copy` makes one). Both stand in the first few bytes of each part.
"""

import io
import struct
from collections.abc import Iterator

# MP4 and QuickTime (ISO 14496-12): a file is a row of boxes.
_FIRST_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot uuid".split())
_BOXES = _FIRST_BOXES | frozenset(b"moof mfra sidx ssix styp emsg meta udta prft".split())
_MATROSKA = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_ASF = b"\x30\x26\xb2\x75"
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Matroska and WebM, ASF (WMV), MPEG program stream, Flash, Ogg.
_SIGNATURES = (_MATROSKA, _ASF, b"\0\0\1", b"FLV", b"OggS")
# A track's index is read whole; hours of video have one of some MB.
_LARGEST_INDEX = 1 << 28


def is_container(head: bytes) -> bool:
    """Whether a file that begins so is a video file that holds its own frames.

    FFmpeg opens whatever it recognises, a text file too, if it is a playlist: and a playlist
    leads to other files and into the network. It looks for one behind ID3 tags, too.
    """
    if head.startswith((b"#EXT", b"ffconcat", b"ID3")):
        return False
    return (
        head[4:8] in _FIRST_BOXES
        or head.startswith(_SIGNATURES)
        or _is_avi(head)
        or _is_transport_stream(head)
    )


def may_change_size(head: bytes) -> bool:
    """Whether pictures may change their size midway: MP4, AVI and WMV say one size for all."""
    return head.startswith((_MATROSKA, b"\0\0\1", b"FLV")) or _is_transport_stream(head)


def missing_bytes(file: io.BufferedIOBase) -> int:
    """How many bytes the file is shorter than its own structure says; 0 where it says nothing."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head, whole = file.read(4096), 0
    if head[4:8] in _FIRST_BOXES:
        whole = max((end for kind, _, end in _boxes(file, 0, size) if kind in _BOXES), default=0)
    elif _is_avi(head):
        (length,) = struct.unpack("<I", head[4:8])
        # All ones: it was still being written. Some count the 8 bytes before, too.
        whole = length if length < 0xFFFF0000 else 0
    elif head.startswith(_MATROSKA) and 0 < (at := head.find(_SEGMENT)) < len(head) - 12:
        at += len(_SEGMENT)
        width = 9 - head[at].bit_length()  # a number as wide as its first byte has leading zeros
        length = int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1)
        whole = at + width + length if length != (1 << 7 * width) - 1 else 0  # all ones: unknown
    elif head.startswith(_ASF) and 0 < (at := head.find(_ASF_PROPERTIES)) < len(head) - 48:
        (whole,) = struct.unpack("<Q", head[at + 40 : at + 48])
    return max(0, whole - size)


def shown_seconds(file: io.BufferedIOBase) -> float:
    """How long an MP4's or QuickTime's first picture track shows; infinity where it says nothing.

    Its frames may be more: those that an edit list hides are decoded and not shown.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if file.read(8)[4:] not in _FIRST_BOXES:
        return float("inf")
    for kind, start, end in _boxes(file, 0, size):
        if kind == b"moov" and end <= min(size, start + _LARGEST_INDEX):
            file.seek(start)
            return _first_picture_track(file.read(end - start))
    return float("inf")


def _first_picture_track(moov: bytes) -> float:
    index, scale = io.BytesIO(moov), 0
    for kind, start, end in _boxes(index, 0, len(moov)):
        if kind == b"mvhd":
            wide = moov[start : start + 1] == b"\x01"
            scale = int.from_bytes(moov[start + (20 if wide else 12) :][:4], "big")
        if kind != b"trak":
            continue
        parts = {name: (at, until) for name, at, until in _boxes(index, start, end)}
        if b"mdia" not in parts or b"tkhd" not in parts:
            continue
        handlers = [at for name, at, _ in _boxes(index, *parts[b"mdia"]) if name == b"hdlr"]
        if any(moov[at + 8 : at + 12] == b"vide" for at in handlers):
            at, _ = parts[b"tkhd"]
            wide = moov[at : at + 1] == b"\x01"
            data = moov[at + 28 : at + 36] if wide else moov[at + 20 : at + 24]
            duration = int.from_bytes(data, "big")
            known = scale and duration and data != b"\xff" * len(data)
            return duration / scale if known else float("inf")
    return float("inf")


def _boxes(file: io.BufferedIOBase, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where its content starts and ends, of every box in a row of boxes."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), start + 16
        if length == 0:  # to the end of the file
            length = end - start
        if length < content - start:
            return  # what follows is no box
        yield kind, content, start + length
        start += length


def _is_avi(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"AVI "


def _is_transport_stream(head: bytes) -> bool:
    """MPEG transport stream: every packet begins with G; in M2TS files, after four bytes."""
    syncs = (head[0::188], head[0::204], head[4::192])
    return any(len(sync) >= 3 and set(sync) == {ord("G")} for sync in syncs)
