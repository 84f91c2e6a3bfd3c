"""Minimal pairs: which parameter of a sign do features tell apart?"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.signer.signs import PARAMETERS, SIGNS, minimal_pairs
from sslmodel import measures
from sslmodel.config import ProbeConfig
from sslmodel.linear import standardised
from sslmodel.phonology import Phonology, preferred, read_phonology
from sslmodel.task import Task

SIGN = {"a": "flat,chest", "b": "fist,chest", "c": "flat,belly", "d": "fist,"}
TABLE = "sign,handshape,location\n" + "".join(f"{name},{of}\n" for name, of in SIGN.items())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "signs.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_pairs_are_those_that_differ_in_one_known_parameter(table: Path) -> None:
    phonology = read_phonology(table)
    assert phonology.parameters == ("handshape", "location")
    names = np.array(["b", "a", "nowhere", "c", "d"], object)
    found = {name: np.argwhere(of).tolist() for name, of in phonology.pairs(names).items()}
    assert found == {"handshape": [[0, 1], [1, 0]], "location": [[1, 3], [3, 1]]}


def test_pairs_are_those_of_the_drawn_signs() -> None:
    values = [[getattr(sign, name) for name in PARAMETERS] for sign in SIGNS]
    names = np.array([sign.name for sign in SIGNS], object)
    phonology = Phonology(names, tuple(PARAMETERS), np.array(values, object))
    found = {
        (names[i], names[j], name)
        for name, pairs in phonology.pairs(names).items()
        for i, j in np.argwhere(pairs)
        if i < j
    }
    assert found == {(a.name, b.name, name) for a, b, name in minimal_pairs()}


def test_the_own_sign_must_be_likelier_than_its_partners() -> None:
    scores = np.array([[3.0, 1.0, 2.0, -np.inf], [3.0, 1.0, 2.0, 1.0]])
    pairs = np.zeros((4, 4), bool)
    pairs[1, [0, 2, 3]] = pairs[[0, 2, 3], 1] = True
    found = preferred(scores, np.array([1, 2]), pairs)
    assert found.tolist() == [1 / 3, 1.0]  # 3 is never said; 2 is likelier than 1
    assert preferred(scores, np.array([1, 1]), pairs)[1] == 0  # a tie is no preference
    assert np.isnan(preferred(scores, np.array([0, 3]), np.zeros((4, 4), bool))).all()


def clips_of(table: Path, tells: str) -> tuple[Task, np.ndarray, Phonology]:
    """Forty clips of each of a, b, c; the features know one parameter, and noise."""
    phonology = read_phonology(table)
    column = phonology.parameters.index(tells)
    names, signs = np.array(["a", "b", "c"], object), np.arange(120) % 3
    known = phonology.values[signs, column] == phonology.values[0, column]
    noise = np.random.default_rng(0).normal(size=(120, 5))
    part = np.arange(120) // 3 % 4
    task = Task(names, signs, part < 2, part == 2, part == 3, np.full(120, "", object))
    x = np.concatenate([noise, 5.0 * known[:, None]], axis=1)
    return task, standardised(x, task.train), phonology


@pytest.mark.parametrize(("tells", "other"), [("handshape", "location"), ("location", "handshape")])
def test_features_that_know_one_parameter_tell_its_pairs_apart(
    table: Path, tells: str, other: str
) -> None:
    task, x, phonology = clips_of(table, tells)
    rows = {"encoder": [x, x], "noise": [x[:, :5]]}
    said: list[str] = []
    found = measures.minimal_pairs(task, rows, phonology, ProbeConfig(), said.append)
    of = {answers.labels: answers for answers in found}
    assert set(of) == {"handshape", "location"}
    assert of[tells].values["encoder"]["top1"].shape == (2, 1, 20)
    assert len(of[tells].truth) == len(of[tells].signers) == 20  # a and its partner, ten clips each
    assert of[tells].values["encoder"]["top1"].mean() == 1
    assert 0.2 < of[other].values["encoder"]["top1"].mean() < 0.8
    assert 0.2 < of[tells].values["noise"]["top1"].mean() < 0.8
    assert of[tells].chance == {"top1": 0.5, "per_sign": 0.5}
    assert said == ["minimal pairs: encoder", "minimal pairs: noise"]


def test_a_sign_that_was_never_learned_is_no_partner(table: Path) -> None:
    task, x, phonology = clips_of(table, "handshape")
    task = replace(task, train=task.train & (task.signs != 1), val=task.val & (task.signs != 1))
    (found,) = [
        answers
        for answers in measures.minimal_pairs(
            task, {"encoder": [x]}, phonology, ProbeConfig(), lambda what: None
        )
        if answers.labels == "handshape"
    ]
    # Clips of b are asked, and missed; clips of a have nothing to be told from.
    assert set(found.truth) == {1}
    assert (found.values["encoder"]["top1"] == 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a CSV with the column sign"),
        ("name,handshape\na,flat\n", "expected the column sign and one for every parameter"),
        ("sign\na\n", "expected the column sign and one for every parameter"),
        ("sign,x,x\na,1,2\n", "each once"),
        ("sign,x\na,1\nb\n", "row 3: expected 2 cells, found 1"),
        ("sign,x\na,1\na,2\n", "'a' stands in it twice"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "signs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_phonology(path)
    with pytest.raises(InputError, match="expected a CSV"):
        read_phonology(tmp_path / "none.csv")
