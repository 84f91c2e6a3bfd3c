"""Which clips can be asked: leaks, copies, missing labels, signs that train does not show."""

from dataclasses import replace

import numpy as np
import pytest
from sslmodel_corpus import SMALL, write_store

from poseprep.errors import InputError
from sslmodel.config import InputConfig
from sslmodel.dataset import Dataset, load
from sslmodel.split import Split, make_split, without_copies
from sslmodel.task import Coverage, Task, make_task


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three signs by eight signers."""
    path = write_store(tmp_path_factory.mktemp("task") / "a.h5", signers=8)
    return load(path, SMALL, InputConfig())


def labelled(dataset: Dataset, **columns: object) -> Dataset:
    """The same clips with other labels: a text for all, or a function of the key."""
    made = {
        name: np.array([of(key) if callable(of) else of for key in dataset.keys], object)
        for name, of in columns.items()
    }
    return replace(dataset, **made)


def asked(dataset: Dataset, leak: bool = False) -> tuple[Task, Coverage, list[str]]:
    split = make_split(dataset.signs, dataset.signers, dataset.splits, 0)
    return make_task(dataset, split, leak)


def signer(key: str) -> int:
    return int(key[-5])


def test_a_task_has_every_clip_in_one_part(dataset: Dataset) -> None:
    task, coverage, notes = asked(dataset)
    assert (task.train.astype(int) + task.val + task.test == 1).all()
    assert task.names.tolist() == ["sign0", "sign1", "sign2"]
    assert (task.names[task.signs] == dataset.signs).all()
    assert coverage.used == coverage.expected == 24
    assert coverage.left_out == {}
    assert notes == ["6 test clips only: see the intervals"]


def leaky(key: str) -> str:
    return ("train", "val", "test")[hash_of(key) % 3]


def hash_of(key: str) -> int:
    return int(key[4]) + signer(key)  # sign + signer: every signer stands everywhere


def test_signers_in_several_parts_are_refused_unless_it_is_wanted(dataset: Dataset) -> None:
    given = labelled(dataset, splits=leaky)
    with pytest.raises(InputError, match="8 signers in several parts.*--allow-signer-leak"):
        asked(given)
    _, _, notes = asked(given, leak=True)
    assert any("not signer-independent" in note for note in notes)


def test_a_signer_of_train_in_a_given_val_is_a_leak_too(dataset: Dataset) -> None:
    def part(key: str) -> str:
        return "test" if signer(key) > 5 else ("train", "val")[key[4] == "2"]

    with pytest.raises(InputError, match="6 signers in several parts"):
        asked(labelled(dataset, splits=part))


def test_signers_that_are_not_known_are_told(dataset: Dataset) -> None:
    def name(key: str) -> str:
        return "" if signer(key) < 2 else f"signer{signer(key)}"

    _, _, notes = asked(labelled(dataset, signers=name))
    assert any("the signers of 6 clips are not known" in note for note in notes)


def test_clips_without_a_label_or_a_part_are_left_out_and_counted(dataset: Dataset) -> None:
    def part(key: str) -> str:
        return ("train", "train", "train", "val", "val", "test", "test", "")[signer(key)]

    def sign(key: str) -> str:
        return "" if signer(key) == 0 else key[:5]

    task, coverage, _ = asked(labelled(dataset, splits=part, signs=sign))
    assert coverage.left_out == {"no sign": 3, "in no part": 3}
    assert coverage.used == task.train.sum() + task.val.sum() + task.test.sum() == 18
    assert (task.signs[dataset.signs == ""] == -1).all()


def test_copies_of_test_clips_are_not_learned_from(dataset: Dataset) -> None:
    digests = dataset.digests.copy()
    split = make_split(dataset.signs, dataset.signers, dataset.splits, 0)
    train, val, test = (np.flatnonzero(split.is_in(part)) for part in ("train", "val", "test"))
    digests[train[0]] = digests[val[1]] = digests[test[0]]
    digests[train[1]] = digests[val[0]]
    copied = replace(dataset, digests=digests)
    task, coverage, notes = make_task(copied, split, False)
    assert not task.train[train[:2]].any()
    assert not task.val[val[1]]
    assert task.val[val[0]]
    assert task.test[test].all(), "what is asked stays"
    assert coverage.left_out == {"the same points stand in a part that scores": 3}
    assert any("3 clips of train or val" in note for note in notes)


def test_copies_within_a_part_stay() -> None:
    part = np.array(["train", "train", "val", "test", "test", ""], object)
    digests = np.array(["a", "a", "b", "c", "c", "c"], object)
    clean, copies = without_copies(Split(part, ""), digests, np.ones(6, bool))
    assert copies == 0
    assert (clean.part == part).all()


def test_clips_that_show_nobody_are_no_copies_of_each_other() -> None:
    part = np.array(["train", "test", "train", "test"], object)
    digests = np.array(["nobody", "nobody", "a", "a"], object)
    clean, copies = without_copies(Split(part, ""), digests, np.array([False, False, True, True]))
    assert copies == 1
    assert clean.part.tolist() == ["train", "test", "", "test"]


def test_videos_that_could_not_be_read_are_expected_and_left_out(dataset: Dataset) -> None:
    problems = {f"sign0/broken{i}.mp4": "cut short" if i else "no video" for i in range(3)}
    _, coverage, _ = asked(replace(dataset, problems=problems))
    assert (coverage.expected, coverage.used) == (27, 24)
    assert coverage.left_out == {"video: cut short": 2, "video: no video": 1}


def test_a_sign_that_train_does_not_show_counts_as_missed(dataset: Dataset) -> None:
    def part(key: str) -> str:
        return "test" if key[4] == "2" else ("train", "train", "val", "test")[signer(key) % 4]

    task, _, notes = asked(labelled(dataset, splits=part, signers=""))
    assert task.test.sum() == 8 + 4
    assert any(
        "8 test clips of 1 sign that train does not show count as missed" in n for n in notes
    )


def test_one_clip_of_a_sign_is_learned_and_the_others_asked(dataset: Dataset) -> None:
    def sign(key: str) -> str:
        return f"rare{signer(key)}" if key[4] == "2" else key[:5]

    task, coverage, _ = asked(labelled(dataset, signs=sign, signers=""))
    assert coverage.signs == 10
    assert not any(name.startswith("rare") for name in task.names[task.truth])


def test_one_test_clip_gives_a_score(dataset: Dataset) -> None:
    def part(key: str) -> str:
        return "test" if key == dataset.keys[0] else "train"

    task, _, notes = asked(labelled(dataset, splits=part, signers=""))
    assert task.test.sum() == 1
    assert any("1 test clip only" in note for note in notes)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"signs": ""}, "found none"),
        ({"signs": "hello"}, "found only 'hello'"),
        ({"splits": "train", "signers": ""}, "no labelled clip in test"),
        ({"signs": lambda key: key, "signers": ""}, "every sign has one clip only.*slr search"),
        (
            {
                "splits": lambda key: (
                    "train" if key[4] == "0" else ("val", "test")[signer(key) % 2]
                ),
                "signers": "",
            },
            "train has only the sign 'sign0'",
        ),
        (
            {"splits": lambda key: "test" if key[4] == "2" else "train", "signers": ""},
            "no sign of test is in train, such as 'sign2'",
        ),
    ],
)
def test_labels_that_allow_no_score_are_refused(
    columns: dict[str, object], message: str, dataset: Dataset
) -> None:
    with pytest.raises(InputError, match=message):
        asked(labelled(dataset, **columns))


def test_without_val_it_is_said_that_folds_choose(dataset: Dataset) -> None:
    def part(key: str) -> str:
        return "test" if signer(key) > 5 else "train"

    given = labelled(dataset, splits=part)
    split = Split(np.where(given.splits == "train", "train", "test").astype(object), "by hand")
    task, _, notes = make_task(given, split, False)
    assert not task.val.any()
    assert any("no labelled clip in val" in note for note in notes)
