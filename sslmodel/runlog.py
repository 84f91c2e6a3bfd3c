"""How training says at every moment how it is doing."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm


@dataclass(frozen=True)
class Record:
    """One epoch. Epoch 0 is the encoder before its first step: no loss yet."""

    epoch: int
    spread: float
    rank: float
    loss: float | None = None
    terms: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    seconds: float = 0.0

    def as_json(self) -> str:
        # Not a number is no JSON; Python would write it all the same.
        return json.dumps({k: v for k, v in vars(self).items() if v is not None})


class RunLog:
    """Writes every record to log.jsonl, to TensorBoard (tb/) and to the progress bar.

    Use it in a `with` block; `records` keeps them for the curve.
    """

    def __init__(self, folder: Path, epochs: int, progress: bool):
        # TensorBoard is slow to import, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        self.records: list[Record] = []
        self._file = (folder / "log.jsonl").open("w", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tb"))
        self._bar = tqdm(total=epochs, unit="epoch", disable=not progress, dynamic_ncols=True)

    def write(self, record: Record) -> None:
        self.records.append(record)
        self._file.write(record.as_json() + "\n")
        self._file.flush()
        shown = {"spread": record.spread, "rank": record.rank}
        if record.loss is not None:
            shown = {"loss": record.loss, **record.terms, **shown}
            self._bar.update()
        for name, value in shown.items():
            tag = f"terms/{name}" if name in record.terms else name
            self._board.add_scalar(tag, value, record.epoch)
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in shown.items()})

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()
        self._board.close()
        self._file.close()
