"""What a training writes into its run's folder while it goes on; by the first process alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import nn

from poseprep.errors import InputError
from sslmodel.plots import plot_curve
from sslmodel.resume import save_state
from sslmodel.runlog import CURVE, Record, RunLog

# Between two checkpoints, at least: writing them must not cost more than training does.
CHECKPOINT_SECONDS = 20.0
# Likewise between two drawings of the curve.
CURVE_SECONDS = 60.0


class RunWriter:
    """The log, the checkpoints and the curve of a run. Use it in a `with` block.

    However the block is left, the curve of what was trained is drawn. Every method raises
    InputError where the folder cannot be written, as on a full disk.
    """

    def __init__(self, out: Path, epochs: int, progress: bool, title: str):
        self._out, self._epochs, self._progress, self._title = out, epochs, progress, title
        self._log: RunLog | None = None
        self._records: Sequence[Record] = ()
        self._began = self._saved = self._drawn = time.monotonic()

    def begin(self, kept: Sequence[Record], write_head: Callable[[], None]) -> None:
        """Open the log, with the records of the epochs that are kept; without any, begin anew."""
        if kept:
            self._began -= kept[-1].seconds
        self._records = kept
        with self._writing():
            self._out.mkdir(parents=True, exist_ok=True)
            self._log = RunLog(self._out, self._epochs, self._progress, kept)
            if not kept:
                (self._out / CURVE).unlink(missing_ok=True)
                write_head()

    def seconds(self) -> float:
        """Since training began, what an interrupted run had before included."""
        return round(time.monotonic() - self._began, 3)

    def write(
        self, records: Sequence[Record], learner: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Take down the last record, and where it is time the training's state."""
        if self._log is None:
            raise ValueError("expected begin() before write()")
        with self._writing():
            self._log.write(records[-1])
            self._records = records
            if time.monotonic() - self._drawn > CURVE_SECONDS:
                self._draw()
            if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                save_state(self._out, learner, optimizer, records)
                self._saved = time.monotonic()

    def end(self, write: Callable[[], None]) -> None:
        """Draw the curve, then write what a finished run has beside its log."""
        with self._writing():
            self._draw()
            self._records = ()  # drawn: leaving the block draws nothing again
            write()

    def _draw(self) -> None:
        if len(self._records) > 1:  # the first is the untrained encoder
            plot_curve(self._records, self._out / CURVE, self._title)
        self._drawn = time.monotonic()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            begun = (self._out / "config.json").exists()
            how = " (`slr pretrain` with `--resume`)" if begun else ""
            raise InputError(
                f"{self._out}: cannot be written ({error.strerror or error}); make room there and "
                f"give the same command again{how}, or give another folder with `--out`"
            ) from error

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if self._log is None:
            return
        # What ended the training is what its user has to hear of, and not a picture that failed.
        with suppress(OSError) if kind else self._writing():
            try:
                self._draw()
            finally:
                self._log.close()
