"""Long videos, many videos: memory and time."""

import shutil
import threading
import time
from fractions import Fraction

import av
import pytest
from faults import content, extract, many, start, workers

from poseprep.bench import memory_mib
from poseprep.signer.corpus import Corpus, draw_take
from poseprep.store import KeypointStore

pytestmark = pytest.mark.soak

MOST_MIB = 700
FPS = 25


class Watch:
    """Looks at the memory of a run's processes until it ends."""

    def __init__(self, running):
        self.worker, self.parent = 0.0, 0.0
        self.course = []  # seconds, MiB of the largest worker at that moment
        self._running, self._began = running, time.monotonic()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self):
        while self._running.returncode is None:
            crew = workers(self._running)
            self.worker = max([self.worker, *(memory_mib(pid) for pid in crew)])
            self.parent = max(self.parent, memory_mib(self._running.pid))
            now = max((memory_mib(pid, "VmRSS") for pid in crew), default=0.0)
            self.course.append((time.monotonic() - self._began, now))
            time.sleep(0.2)


def watched(videos, out, *flags, patience):
    """A whole run with one worker; what its processes took."""
    running = start(videos, out, *flags, workers=1)
    watch = Watch(running)
    said, _ = running.communicate(timeout=patience)
    assert running.returncode == 0, said
    return watch, said


def long_video(path, seconds):
    """A drawn signer in 1080p, coded once and repeated for so long."""
    corpus = Corpus(width=1920, height=1080)
    frames = list(draw_take(corpus.takes()[0], corpus)[0])
    coder = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt = 1920, 1080, "yuv420p"
    coder.time_base, coder.framerate = Fraction(1, FPS), Fraction(FPS)
    coder.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"}
    packets = []
    for i, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture.pts = i
        packets += coder.encode(picture)
    packets += coder.encode(None)
    turn = [bytes(packet) for packet in packets]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for i in range(seconds * FPS):
            packet = av.Packet(turn[i % len(turn)])
            packet.stream, packet.pts, packet.dts = stream, i, i
            packet.time_base, packet.is_keyframe = Fraction(1, FPS), i % len(turn) == 0
            container.mux(packet)


def test_a_long_video_needs_no_more_memory_than_a_short_one(tmp_path, report):
    peaks = {}
    for minutes, seconds in (("10 s", 10), ("20 min", 1200)):
        folder = tmp_path / minutes
        folder.mkdir()
        long_video(folder / "video.mp4", seconds)
        watch, _ = watched(
            folder, tmp_path / f"{seconds}.h5", "--face", "full", "--recover", patience=3000
        )
        with KeypointStore(tmp_path / f"{seconds}.h5") as store:
            assert store.frames == seconds * FPS
            found = (store.part_source("body") > 0).mean()
        assert found > 0.9
        peaks[minutes] = watch
        shutil.rmtree(folder)
    short, long = peaks["10 s"], peaks["20 min"]
    assert long.worker <= MOST_MIB
    assert long.worker <= 1.1 * short.worker
    assert long.parent <= short.parent + 100
    report(
        "a 20-minute 1080p video of 25 frames/s, with a signer in it",
        1,
        "nothing",
        f"worker {long.worker:.0f} MiB at most (a 10-second video: {short.worker:.0f}), "
        f"parent {long.parent:.0f} ({short.parent:.0f})",
    )


def test_many_videos_in_a_row_do_not_grow_a_worker(tmp_path, short_clips, report):
    folder = many(short_clips, tmp_path / "videos", 500)
    watch, _ = watched(folder, tmp_path / "out.h5", "--face", "full", "--recover", patience=3000)
    assert len(content(tmp_path / "out.h5")) == 500
    course = [mib for _, mib in watch.course if mib > 0]
    tenth = len(course) // 10
    early, late = max(course[tenth : 2 * tenth]), max(course[-tenth:])
    assert late <= 1.05 * early
    assert watch.worker <= MOST_MIB
    report(
        "500 clips in a row, one worker",
        1,
        "nothing",
        f"worker {early:.0f} MiB after a tenth, {late:.0f} MiB at the end",
    )


def test_a_finished_corpus_of_1000_clips_is_seen_at_once(tmp_path, short_clips, report):
    """The clips are one frame long: what is measured is the second run."""
    folder = tmp_path / "videos"
    folder.mkdir()
    with av.open(str(short_clips[0])) as source:
        picture = next(source.decode(video=0))
    for i in range(1000):
        with av.open(str(folder / f"{i:04}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
            for packet in (*stream.encode(picture.reformat(format="yuv420p")), *stream.encode()):
                container.mux(packet)
    extract(folder, tmp_path / "out.h5")
    before, waits = content(tmp_path / "out.h5"), []
    for _ in range(3):
        began = time.monotonic()
        said = extract(folder, tmp_path / "out.h5")
        waits.append(time.monotonic() - began)
        assert "1,000 clips done already; nothing is left to do" in said
    assert content(tmp_path / "out.h5") == before
    assert max(waits) < 3
    report(
        "a second run on a finished corpus of 1,000 clips",
        3,
        "nothing",
        f"{max(waits):.1f} s at most",
    )
