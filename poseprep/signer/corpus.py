"""A corpus of drawn videos on disk: videos, labels and the truth.

- `folder/videos/<sign>/<signer>_<repetition>.mp4`
- `folder/labels.csv`: clip, sign, signer, split (empty: the split is made by signer)
- `folder/signs.csv`: sign, and its phonological parameters
- `folder/truth.h5`: the true joints, in the store's own format
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.signer.disk import DRAWN, MARKER, claim_folder, write_video
from poseprep.signer.figure import figure
from poseprep.signer.perform import perform
from poseprep.signer.person import make_signer, stream
from poseprep.signer.render import render
from poseprep.signer.signs import PARAMETERS, SIGNS, Sign
from poseprep.signer.truth import true_clip
from poseprep.store import KeypointStore
from poseprep.workers import Died, run_tasks


@dataclass(frozen=True)
class Corpus:
    """What a corpus holds: every one of `signers` performs each of the first `signs`, `reps` times.

    Two corpora of one seed share what they have in common: the same signers perform the same
    signs in the same way, so that a larger corpus adds to a smaller one and changes nothing.

    Attributes:
        signs: how many of `SIGNS`, from its beginning.
        signers: how many people; other seeds give other people.
        reps: how often each performs a sign.
        fps: frames a second.
        width, height: of the picture, pixels; even numbers.

    Raises:
        InputError: a number is out of range.
    """

    signs: int = 12
    signers: int = 8
    reps: int = 1
    seed: int = 0
    fps: float = 25.0
    width: int = 384
    height: int = 288

    def __post_init__(self) -> None:
        if not 1 <= self.signs <= len(SIGNS):
            raise InputError(f"signs: expected 1 to {len(SIGNS)}, found {self.signs}")
        for name in ("signers", "reps", "fps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"seed: expected 0 or more, found {self.seed}")
        for name in ("width", "height"):
            # The video codec stores colour at half the resolution.
            if getattr(self, name) < 64 or getattr(self, name) % 2:
                raise InputError(
                    f"{name}: expected an even number of at least 64 pixels, "
                    f"found {getattr(self, name)}"
                )

    def takes(self) -> list[Take]:
        """Every video of the corpus, in the order of their keys."""
        takes = [
            Take(sign, signer, repetition)
            for sign in SIGNS[: self.signs]
            for signer in range(self.signers)
            for repetition in range(1, self.reps + 1)
        ]
        return sorted(takes, key=lambda take: take.key)


@dataclass(frozen=True)
class Take:
    """One video to be drawn: who signs what, for the how-manieth time."""

    sign: Sign
    signer: int
    repetition: int = 1

    @property
    def key(self) -> str:
        """Its path below the folder of videos, and its key in a store."""
        return f"{self.sign.name}/signer{self.signer + 1}_{self.repetition}.mp4"


def render_corpus(
    folder: str | Path, corpus: Corpus = Corpus(), workers: int = 2, progress: bool = False
) -> list[str]:
    """Draw a corpus into a folder; returns the keys of its clips.

    The same corpus gives the same pixels, whatever the number of workers. Videos that are
    there already are drawn anew.

    Raises:
        InputError: the folder is somebody else's, holds videos that are not of this corpus, or
            cannot be written.
    """
    folder, takes = Path(folder), corpus.takes()
    claim_folder(folder, {take.key for take in takes})
    draw = partial(_Draughtsman, folder / "videos", corpus)
    truth = KeypointStore.create(
        folder / "truth.h5", settings=asdict(corpus), landmarker={"name": DRAWN}
    )
    with truth, tqdm(total=len(takes), unit=" videos", disable=not progress) as bar:
        for clip in _in_order(draw, takes, workers, bar):
            truth.add(clip)
    _write_tables(folder, takes)
    (folder / MARKER).unlink()
    return [take.key for take in takes]


def draw_take(take: Take, corpus: Corpus) -> tuple[Iterator[np.ndarray], Clip]:
    """The frames (H, W, 3) RGB of one video, and the true joints in them."""
    signer = make_signer(take.signer, corpus.seed)
    performance = perform(take.sign, signer, take.repetition, corpus.seed, corpus.fps)
    drawn = figure(performance, signer)
    noise = stream(corpus.seed, "noise", take.key)
    truth = true_clip(
        drawn,
        signer.view(corpus.width, corpus.height),
        performance.time,
        key=take.key,
        fps=corpus.fps,
        sign=take.sign.name,
        signer=signer.name,
    )
    return render(drawn, corpus.width, corpus.height, noise), truth


class _Draughtsman:
    """What a worker process does: draw one take after the other to its video file."""

    def __init__(self, videos: Path, corpus: Corpus) -> None:
        self._videos, self._corpus = videos, corpus
        cv2.setNumThreads(1)  # the workers share the cores among themselves

    def __call__(self, take: Take) -> Iterator[Clip]:
        frames, truth = draw_take(take, self._corpus)
        path = self._videos / take.key
        write_video(path, frames, self._corpus.fps)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield replace(truth, sha256=digest)


def _in_order(
    draw: Callable[[], _Draughtsman], takes: list[Take], workers: int, bar: tqdm
) -> Iterator[Clip]:
    """The truth of every take, in the takes' order, whichever is drawn first."""
    done: dict[int, Clip] = {}
    following = 0
    for task, value, _ in run_tasks(draw, takes, workers):
        if isinstance(value, Died):
            raise RuntimeError(f"{takes[task].key}: the drawing process ended ({value.exit_code})")
        done[task] = value
        bar.update()
        while following in done:
            yield done.pop(following)
            following += 1


def _write_tables(folder: Path, takes: list[Take]) -> None:
    labels = [(t.key, t.sign.name, f"signer{t.signer + 1}", "") for t in takes]
    _write_table(folder / "labels.csv", ("clip", "sign", "signer", "split"), labels)
    signs = [(sign.name, *astuple(sign)) for sign in dict.fromkeys(t.sign for t in takes)]
    _write_table(folder / "signs.csv", ("sign", *PARAMETERS), signs)


def _write_table(path: Path, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows((head, *rows))
    try:
        write_whole(path, table.getvalue().encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
