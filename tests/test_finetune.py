"""Training with labels: from a pretrained encoder, or from nothing."""

import numpy as np
import pytest
import torch
from sslmodel_corpus import SMALL, write_store

from poseprep.errors import InputError
from sslmodel.config import EncoderConfig, FineTuneConfig, InputConfig, ViewConfig
from sslmodel.dataset import Dataset, load
from sslmodel.encoder import Encoder
from sslmodel.finetune import fine_tune

SIZES = EncoderConfig(features=32, point_channels=8, graph_blocks=1)
CONFIG = FineTuneConfig(epochs=2, fewest_steps=30, batch=16, learning_rate=3e-3)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three signs by eight signers; each clip is two windows."""
    path = write_store(tmp_path_factory.mktemp("tune") / "a.h5", signers=8, frames=20)
    return load(path, SMALL, InputConfig(frames=16, window_seconds=0.5))


@pytest.fixture(scope="module")
def encoder(dataset: Dataset) -> Encoder:
    fresh = Encoder(SMALL, SIZES)
    fresh.fit_input(dataset.points, dataset.seen)
    return fresh.untrained(0)


def numbered(dataset: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signs as numbers, who is known, who is asked."""
    signs = np.array([int(sign[4:]) for sign in dataset.signs])
    known = np.array([int(name[6:]) < 5 for name in dataset.signers])
    return signs, known, ~known


def tuned(
    encoder: Encoder,
    dataset: Dataset,
    known: np.ndarray | None = None,
    signs: np.ndarray | None = None,
    seed: int = 0,
    layers: str = "whole",
) -> np.ndarray:
    own, usual, test = numbered(dataset)
    known = usual if known is None else known
    signs = own if signs is None else signs
    return fine_tune(
        encoder, dataset, signs, 3, known, test, CONFIG, ViewConfig(), seed, CPU, layers
    )


@pytest.mark.parametrize("layers", ["whole", "last"])
def test_it_learns_the_signs_and_leaves_the_encoder_as_it_was(
    layers: str, encoder: Encoder, dataset: Dataset
) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    scores = tuned(encoder, dataset, layers=layers)
    signs, _, test = numbered(dataset)
    assert (scores.argmax(1) == signs[test]).mean() > 0.8
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_a_seed_gives_the_same_scores_and_disturbs_nobody(
    encoder: Encoder, dataset: Dataset
) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    scores = tuned(encoder, dataset)
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(tuned(encoder, dataset), scores)
    assert (tuned(encoder, dataset, seed=1) != scores).any()


def test_what_is_asked_is_not_learned_from(encoder: Encoder, dataset: Dataset) -> None:
    signs, _, test = numbered(dataset)
    scores = tuned(encoder, dataset)
    np.testing.assert_array_equal(tuned(encoder, dataset, signs=np.where(test, 0, signs)), scores)


def test_a_sign_without_a_label_is_never_said(encoder: Encoder, dataset: Dataset) -> None:
    signs, known, _ = numbered(dataset)
    scores = tuned(encoder, dataset, known=known & (signs != 1))
    assert (scores[:, 1] == -np.inf).all()
    assert np.isfinite(scores[:, [0, 2]]).all()


def test_one_label_a_sign_is_enough_to_train(encoder: Encoder, dataset: Dataset) -> None:
    known = dataset.signers == "signer0"
    assert np.isfinite(tuned(encoder, dataset, known=known)).all()


def test_labels_of_clips_that_show_nobody_are_refused(encoder: Encoder, dataset: Dataset) -> None:
    with pytest.raises(InputError, match="no labelled clip of train shows a person"):
        tuned(encoder, dataset, known=np.zeros(len(dataset), bool))
