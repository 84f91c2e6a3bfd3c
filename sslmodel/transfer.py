"""Transfer between sign languages: every run probed on every store, as the paper's table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sslmodel.config import ProbeConfig
from sslmodel.probe import ProbeResult, probe
from sslmodel.runs import read_run


def probe_all(
    runs: Sequence[Path], stores: Sequence[Path], config: ProbeConfig, progress: bool = False
) -> Iterator[ProbeResult]:
    """Each run on each store, one after the other; without stores, on those that it learned from.

    Raises:
        InputError: as `probe` does.
    """
    for run in runs:
        for store in stores or read_run(run).stores:
            yield probe(run, config, store, progress)
