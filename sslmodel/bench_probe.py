"""How long a linear probe takes, and what memory: `slr bench probe`."""

import resource
import time
from collections.abc import Callable, Sequence

import numpy as np

from poseprep.options import check
from sslmodel.config import ProbeConfig
from sslmodel.linear import standardised
from sslmodel.measures import labels_name, linear
from sslmodel.task import Task


def bench_probe(
    clips: int,
    features: int,
    signs: int,
    fractions: Sequence[float],
    draws: int,
    say: Callable[[str], None],
) -> list[tuple[str, ...]]:
    """Linear evaluation of made-up features, as many as a large corpus has; rows of a table.

    Clips are noisy copies of their sign's centre, in directions that matter unequally, as an
    encoder's do. 60 % are train, 15 % val, 25 % test.

    Raises:
        InputError: a share of the labels is none.
    """
    config = ProbeConfig(fractions=tuple(fractions), draws=draws)
    check(config)
    random = np.random.default_rng(0)
    names = np.array([f"sign{i:05d}" for i in range(signs)])
    of_clip = random.permutation(np.arange(clips) % signs)
    mix = random.normal(size=(features, features)) * np.exp(-4 * np.arange(features) / features)
    centres = random.normal(size=(signs, features))
    x = (centres[of_clip] + 2.0 * random.normal(size=(clips, features))) @ mix
    part = random.permutation(np.arange(clips) % 20)
    task = Task(
        names,
        of_clip,
        part < 12,
        (part >= 12) & (part < 15),
        part >= 15,
        np.full(clips, "", object),
    )
    rows: dict[str, Sequence[np.ndarray]] = {
        "encoder": [standardised(x.astype(np.float32), task.train)]
    }
    table: list[tuple[str, ...]] = []
    for fraction in sorted(fractions):
        began = time.monotonic()
        answers, _ = linear(task, rows, fraction, config, lambda what: None)
        seconds = time.monotonic() - began
        top1 = answers.values["encoder"]["top1"]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        row = (
            labels_name(fraction),
            f"{answers.labelled:,.0f}",
            str(top1.shape[1]),
            f"{seconds:.0f}",
            f"{memory:.2f}",
            f"{100 * top1.mean():.1f}",
        )
        say("  ".join(row))
        table.append(row)
    return table
