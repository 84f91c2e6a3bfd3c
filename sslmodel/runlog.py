"""How training says at every moment how it is doing."""

import fcntl
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from poseprep.errors import InputError

# The log's picture, beside it in the run's folder.
CURVE = "curve.png"


@dataclass(frozen=True)
class Record:
    """One epoch. Epoch 0 is the encoder before its first step: no loss yet.

    Attributes:
        spread, rank: of the training clips' embeddings (sslmodel/collapse.py).
        loss, terms: means over the epoch's steps; the terms unweighted.
        alignment: between a clip's two views, mean squared distance on the sphere.
        invariance: 1 where a clip's views are one point, 0 where they are as far as other clips.
        seconds: since training began, what an interrupted run had before included.
    """

    epoch: int
    spread: float
    rank: float
    loss: float | None = None
    terms: dict[str, float] = field(default_factory=dict)
    alignment: float | None = None
    invariance: float | None = None
    learning_rate: float = 0.0
    seconds: float = 0.0

    def as_json(self) -> str:
        """One line of log.jsonl, without what is not known yet."""
        # NaN is no JSON, but Python would write it; training stops before it comes to that.
        known = {name: value for name, value in vars(self).items() if value is not None}
        return json.dumps(known, allow_nan=False)


class RunLog:
    """Writes every record to log.jsonl, to TensorBoard (tb/) and to the progress bar.

    What an unfinished run left there is begun anew, with the records of the epochs that are kept.

    Raises:
        InputError: another training is writing to the same folder.
    """

    def __init__(self, folder: Path, epochs: int, progress: bool, kept: Sequence[Record] = ()):
        # TensorBoard is slow to import, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        self._file = (folder / "log.jsonl").open("a", encoding="utf-8")
        try:
            # Held until the file is closed, also by a program that dies.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise InputError(
                f"{folder}: another training is writing there; wait for it, or give another "
                "folder with `--out`"
            ) from error
        except OSError:
            pass  # a file system without locks
        self._file.truncate(0)
        for old in (folder / "tb").glob("events.out.tfevents.*"):
            old.unlink()
        self._board = SummaryWriter(str(folder / "tb"))
        self._bar = tqdm(total=epochs, unit="epoch", disable=not progress, dynamic_ncols=True)
        for record in kept:
            self.write(record)

    def write(self, record: Record) -> None:
        """Take down one epoch, at once: a killed run has all its lines."""
        self._file.write(record.as_json() + "\n")
        self._file.flush()
        measures = ("loss", "spread", "rank", "alignment", "invariance")
        known = {m: getattr(record, m) for m in measures if getattr(record, m) is not None}
        # Some objectives have a term that is called invariance, too.
        terms = {f"terms/{name}": value for name, value in record.terms.items()}
        for tag, value in {**known, **terms}.items():
            self._board.add_scalar(tag, value, record.epoch)
        shown = {"spread": record.spread, "rank": record.rank}
        if record.loss is not None:
            shown = {"loss": record.loss, **record.terms, **shown}
            self._bar.update()
        if record.invariance is not None:
            shown["alike"] = record.invariance
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in shown.items()})

    def close(self) -> None:
        """Close the files; the lock is released even where the last lines find no room."""
        self._bar.close()
        try:
            self._board.close()
        finally:
            self._file.close()
