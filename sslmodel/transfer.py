"""Transfer between sign languages: every run probed on every store, as the paper's table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from poseprep.errors import InputError
from sslmodel.config import ProbeConfig
from sslmodel.probe import ProbeResult, probe
from sslmodel.runs import read_run


@dataclass(frozen=True)
class NotProbed:
    """A run and a store of which there is no score, and why."""

    run: Path
    store: Path
    why: str


def probe_all(
    runs: Sequence[Path], stores: Sequence[Path], config: ProbeConfig, progress: bool = False
) -> Iterator[ProbeResult | NotProbed]:
    """Each run on each store, one after the other; without stores, on those that it learned from.

    Where there are several, one that cannot be probed does not stop the others.

    Raises:
        InputError: a run cannot be read; or the only one cannot be probed, as `probe` says.
    """
    pairs = [(run, store) for run in runs for store in stores or read_run(run).stores]
    for run, store in pairs:
        try:
            yield probe(run, config, store, progress)
        except InputError as error:
            if len(pairs) == 1:
                raise
            yield NotProbed(run, store, str(error))
