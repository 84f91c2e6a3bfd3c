"""Minimal pairs: signs that differ in one phonological parameter, such as handshape or location.

A sign is described by what its parts are (Stokoe 1960, *Sign Language Structure*). An embedding
that tells two signs apart that differ in one part only has kept that part.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from poseprep.errors import InputError


@dataclass(frozen=True, eq=False)
class Phonology:
    """The parameters of S signs.

    Attributes:
        parameters: (P,) their names.
        values: (S, P) text, empty where unknown.
    """

    signs: np.ndarray
    parameters: tuple[str, ...]
    values: np.ndarray

    def pairs(self, names: np.ndarray) -> dict[str, Bool[np.ndarray, "S S"]]:
        """Parameter → which two of the signs `names` differ in it, and in nothing else.

        A sign of which a parameter is not known is in no pair.
        """
        place = {sign: i for i, sign in enumerate(self.signs.tolist())}
        blank = np.full(len(self.parameters), "", self.values.dtype)
        values = np.stack([self.values[place[n]] if n in place else blank for n in names.tolist()])
        known = (values != "").all(axis=1)
        differs = values[:, None] != values[None]  # (S, S, P)
        alone = (differs.sum(axis=2) == 1) & known & known[:, None]
        return {name: alone & differs[:, :, i] for i, name in enumerate(self.parameters)}


def read_phonology(path: str | Path) -> Phonology:
    """Read a CSV: `sign`, and a column for every parameter. An empty cell is unknown.

    Raises:
        InputError: it cannot be read, has no such columns, or a sign stands in it twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        head, *rows = [row for row in csv.reader(io.StringIO(text, newline="")) if any(row)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path}: expected a CSV with the column sign and one for every parameter, found none "
            f"that can be read ({error})"
        ) from error
    parameters = tuple(name for name in head if name != "sign")
    if head.count("sign") != 1 or not parameters or len(set(parameters)) < len(parameters):
        raise InputError(
            f"{path}: expected the column sign and one for every parameter, each once, found "
            f"{', '.join(head)}"
        )
    for line, row in enumerate(rows, start=2):
        if len(row) != len(head):
            raise InputError(f"{path}, row {line}: expected {len(head)} cells, found {len(row)}")
    signs = [row[head.index("sign")] for row in rows]
    twice = next((sign for i, sign in enumerate(signs) if sign in signs[:i]), None)
    if twice is not None:
        raise InputError(f"{path}: the sign {twice!r} stands in it twice")
    values = [[row[head.index(name)].strip() for name in parameters] for row in rows]
    shape = (len(signs), len(parameters))
    return Phonology(np.array(signs, object), parameters, np.array(values, object).reshape(shape))


def preferred(
    scores: Float[np.ndarray, "M S"], truth: Int[np.ndarray, " M"], pairs: Bool[np.ndarray, "S S"]
) -> Float[np.ndarray, " M"]:
    """Of each clip: the share of its sign's partners that are less likely than the sign itself.

    Clips whose sign has no partner give NaN.
    """
    partners = pairs[truth]
    own = scores[np.arange(len(truth)), truth][:, None]
    right = ((own > scores) & partners).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return right / partners.sum(axis=1)
