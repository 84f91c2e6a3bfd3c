"""The encoder as ONNX says what it says in PyTorch."""

import builtins
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from conftest import REPOSITORY
from sslmodel_corpus import write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from poseprep.store import KeypointStore
from sslmodel import load_encoder
from sslmodel.export import export
from sslmodel.pretrain import pretrain


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with out.h5, run/ and encoder.onnx."""
    folder = tmp_path_factory.mktemp("export")
    write_store(folder / "out.h5")
    pretrain(TINY, [folder / "out.h5"], folder / "run", progress=False)
    made = export(folder / "run", folder / "encoder.onnx")
    assert made.difference <= 1e-4
    return folder


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_onnx_runtime_says_what_pytorch_says(batch: int, place: Path) -> None:
    import torch

    encoder = load_encoder(place / "run").encoder
    random = np.random.default_rng(batch)
    shape = (batch, TINY.input.frames, len(encoder.skeleton))
    seen = (random.random(shape) > 0.5).astype(np.float32)
    seen[0] = 0  # nobody
    points = random.normal(size=(*shape, 2)).astype(np.float32) * seen[..., None]
    session = onnxruntime.InferenceSession(place / "encoder.onnx")
    found = session.run(None, {"points": points, "seen": seen})[0]
    with torch.no_grad():
        expected = encoder(torch.from_numpy(points), torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_example_in_the_docs_embeds_as_python_does(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "docs/export.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(place)
    names: dict[str, Any] = {}
    exec(example, names)
    with KeypointStore(place / "out.h5") as store:
        expected = load_encoder(place / "run")(store.clip(store.keys[0]))
    np.testing.assert_allclose(names["embedding"], expected, atol=1e-4)


def test_the_file_says_what_it_reads(place: Path) -> None:
    about = onnxruntime.InferenceSession(place / "encoder.onnx").get_modelmeta()
    said = about.custom_metadata_map
    encoder = load_encoder(place / "run")
    assert json.loads(said["points"]) == list(encoder.encoder.skeleton.names)
    assert json.loads(said["normalize"])["frames"] == encoder.settings.frames


@pytest.mark.parametrize("name", ["encoder.onnx", "encoder.pt", "nowhere/\0.onnx"])
def test_a_place_that_cannot_be_is_refused(name: str, place: Path) -> None:
    before = sorted(place.iterdir())
    with pytest.raises((InputError, ValueError)):
        export(place / "run", place / name)
    assert sorted(place.iterdir()) == before


def test_without_the_packages_it_says_what_to_install(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnx":
            raise ImportError("No module named 'onnx'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"slr-toolkit\[onnx\]"):
        export(place / "run", tmp_path / "e.onnx")
