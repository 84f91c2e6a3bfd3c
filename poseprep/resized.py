"""Notice where the pictures of a video change size: OpenCV does not, and gives wrong ones.

From 4.7 on it goes on in the first size: a larger picture repeats the last good one for ever, a
smaller one lies in its corner (opencv/opencv#27116, opencv-python#1176). So the packets are
read a second time, undecoded, beside the frames: the few bytes at the start of a key frame that
say the size. Streams that can be joined anywhere are watched; MP4, AVI and WMV say one size for
all in their header.
"""

from collections.abc import Callable

import cv2

Size = tuple[int, int]
_H264_SPS, _MPEG2_SEQUENCE = 7, 0xB3
# Profiles whose SPS says how colour is sampled (H.264, 7.3.2.1.1).
_WITH_CHROMA = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128))


class SizeWatch:
    """Reads packets beside a reader of frames.

    Attributes:
        changed: the first size and the one it changes to, once they differ.
    """

    def __init__(self, name: str, codec: str, watched: bool):
        self._size_of = _READERS.get(codec.lower()) if watched else None
        self._packets = 0
        self._first: Size | None = None
        self.changed: tuple[Size, Size] | None = None
        if self._size_of:
            self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])

    def look_at(self, frame: int) -> None:
        """Read as far as the packet that brings frame number `frame`, from 0, in order.

        A frame of a new size is a key frame: none from before it comes after it.
        """
        while self._size_of and self.changed is None and self._packets <= frame:
            if not self._capture.grab():
                self._size_of = None
                return
            self._packets += 1
            if self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME):
                self._look(self._size_of)

    def _look(self, size_of: Callable[[bytes], Size | None]) -> None:
        done, packet = self._capture.retrieve()
        size = size_of(packet.ravel()[:4096].tobytes()) if done and packet is not None else None
        self._first = self._first or size
        if size is not None and self._first is not None and size != self._first:
            self.changed = self._first, size


def _h264(packet: bytes) -> Size | None:
    """From the sequence parameter set (ITU-T H.264, 7.3.2.1.1)."""
    unit = _unit(packet, lambda head: head & 31 == _H264_SPS)
    return _read_sps(_Bits(unit[1:])) if unit else None


def _read_sps(bits: "_Bits") -> Size | None:
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma = 1
    if profile in _WITH_CHROMA:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb(), bits.golomb()
        bits.take(1)
        if bits.take(1):
            return None  # scaling lists stand between: hardly any encoder writes them
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb(), bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    width, rows = 16 * (bits.golomb() + 1), bits.golomb() + 1
    frames_only = bits.take(1)
    height = 16 * rows * (2 - frames_only)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        across = 2 if chroma in (1, 2) else 1
        down = (2 if chroma == 1 else 1) * (2 - frames_only)
        width -= across * (bits.golomb() + bits.golomb())
        height -= down * (bits.golomb() + bits.golomb())
    return width, height


def _mpeg2(packet: bytes) -> Size | None:
    """From the sequence header (ITU-T H.262, 6.2.2.1)."""
    unit = _unit(packet, lambda head: head == _MPEG2_SEQUENCE)
    number = int.from_bytes(unit[1:4], "big")
    return (number >> 12, number & 0xFFF) if len(unit) >= 4 else None


def _vp8(packet: bytes) -> Size | None:
    """From the key frame's header (RFC 6386, 9.1)."""
    if len(packet) < 10 or packet[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = (int.from_bytes(packet[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height


def _vp9(packet: bytes) -> Size | None:
    """From the key frame's uncompressed header (VP9 bitstream specification, 6.2)."""
    bits = _Bits(packet)
    bits.take(2)
    profile = bits.take(1) + 2 * bits.take(1)
    bits.take(profile == 3)
    if bits.take(1) or bits.take(1):
        return None  # shows a frame again, or is no key frame
    bits.take(2)
    if bits.take(24) != 0x498342:
        return None
    bits.take(profile >= 2)
    if bits.take(3) != 7:
        bits.take(1 + 3 * (profile in (1, 3)))
    else:
        bits.take(profile in (1, 3))
    return bits.take(16) + 1, bits.take(16) + 1


_READERS: dict[str, Callable[[bytes], Size | None]] = {
    **dict.fromkeys(("h264", "avc1", "x264"), _h264),
    **dict.fromkeys(("mpg2", "mpeg2video", "mpg1", "\x02\0\0\x10"), _mpeg2),
    **dict.fromkeys(("vp80", "vp8"), _vp8),
    **dict.fromkeys(("vp90", "vp9"), _vp9),
}


def _unit(packet: bytes, wanted: Callable[[int], bool]) -> bytes:
    """The first unit whose first byte is wanted, between start codes; empty where there is none."""
    for unit in packet.split(b"\0\0\1")[1:]:
        if unit and wanted(unit[0]):
            return unit.replace(b"\0\0\3", b"\0\0")
    return b""


class _Bits:
    """Numbers of so many bits, one after the other; zeros after the end."""

    def __init__(self, data: bytes):
        self._number, self._left = int.from_bytes(data[:256], "big"), 8 * len(data[:256])

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            return 0
        return self._number >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """Exponential-Golomb (H.264, 9.1)."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
