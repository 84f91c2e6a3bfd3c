"""Make small videos of every kind, and break them: what `odd_videos` is made with."""

import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES, SIZE = 12, (64, 48)


def pictures(count: int = FRAMES, size: tuple[int, int] = SIZE) -> Iterator[np.ndarray]:
    """Frame i is noisy grey of about 8·i, with a bright top left corner."""
    random = np.random.default_rng(0)
    for i in range(count):
        picture = random.integers(0, 9, (size[1], size[0], 1), np.uint8).repeat(3, axis=2)
        picture += min(8 * i, 96)
        picture[: size[1] // 4 + 1, : size[0] // 4 + 1] = 255
        yield picture


@contextmanager
def own_priority() -> Iterator[None]:
    """Root's SVT-AV1 makes its caller a real-time program, and with it all that it ever starts.

    A browser started so held both cores for half an hour, and could not be killed.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def write(
    path: Path,
    codec: str = "mpeg4",
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    fps: float = 25,
    stamps: Sequence[int] = (),
    moved: int = 0,
    sound: str = "",
    muxer: str | None = None,
    **options: str,
) -> None:
    """A video. `stamps`: the frames' times in ms; `moved`: frames by which packets come later;
    `sound`: the codec of a stream before the pictures; `options`: the codec's or the muxer's."""
    av.logging.set_level(None)  # each option is the codec's or the muxer's: the other complains
    with own_priority(), av.open(str(path), "w", format=muxer, options=options) as container:
        sounds = sound_packets(container, sound) if sound else iter(())
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.thread_count = 1
        if stamps:
            stream.codec_context.time_base = Fraction(1, 1000)

        def mux(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
                container.mux(packet)

        for packet in sounds:
            container.mux(packet)
        for i, picture in enumerate(pictures(frames, size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            if stamps:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 1000)
            mux(frame)
        mux(None)


def sound_packets(container: av.container.OutputContainer, codec: str) -> Iterator[av.Packet]:
    """The packets of a silent stream, which is added to the container at once."""
    stream = container.add_stream(codec, rate=48000)
    stream.layout = "mono"
    stream.codec_context.open()
    kind, length = stream.codec_context.format.name, stream.codec_context.frame_size
    silence = np.zeros((1, length), np.float32 if kind.startswith("flt") else np.int16)

    def packets() -> Iterator[av.Packet]:
        for i in range(5):
            frame = av.AudioFrame.from_ndarray(silence, format=kind, layout="mono")
            frame.sample_rate, frame.pts = 48000, i * length
            yield from stream.encode(frame)
        yield from stream.encode(None)

    return packets()


def write_only_sound(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as container:
        for packet in sound_packets(container, codec):
            container.mux(packet)


def changed(path: Path, change: Callable[[bytearray], bytes], **made: object) -> None:
    """A video whose bytes are then changed."""
    write(path, **made)  # type: ignore[arg-type]
    path.write_bytes(change(bytearray(path.read_bytes())))


def first(share: float) -> Callable[[bytearray], bytes]:
    return lambda data: data[: int(len(data) * share)]


def scratched(data: bytearray) -> bytes:
    """A tenth, in the middle, is zeros."""
    length = len(data)
    data[length * 5 // 10 : length * 6 // 10] = bytes(length * 6 // 10 - length * 5 // 10)
    return data


def turned(degrees: int) -> Callable[[bytearray], bytes]:
    """The track header's matrix (ISO 14496-12, 8.3.2): 16.16 numbers, the last column 2.30."""
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]

    def change(data: bytearray) -> bytes:
        at = data.index(b"tkhd") + 44
        cells = (a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
        data[at : at + 36] = struct.pack(">9i", *cells)
        return data

    return change


def counted(frames: int) -> Callable[[bytearray], bytes]:
    """The number of frames in an AVI's two headers."""

    def change(data: bytearray) -> bytes:
        for at in (data.index(b"avih") + 24, data.index(b"strh") + 40):
            data[at : at + 4] = struct.pack("<i", frames)
        return data

    return change


def joined(path: Path, codec: str, sizes: Sequence[tuple[int, int]], muxer: str = "mpegts") -> None:
    """One stream whose pictures change size."""
    parts = []
    for i, size in enumerate(sizes):
        write(path, codec, size=size, muxer=muxer, moved=i * FRAMES, bf="0")
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("video.mp4", bytes(1000))


def image(path: Path, codec: str) -> None:
    write(path, codec, 1, pixels="yuvj420p" if codec == "mjpeg" else "rgb24", muxer="image2pipe")
