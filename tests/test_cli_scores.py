"""The commands around scores, as a user types them."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sslmodel_corpus import write_store

from slr_toolkit.cli import main

QUICK = ("--epochs", "2", "--batch", "8", "--accelerator", "cpu", "--quiet")
SMALL = ("--encoder-features", "16", "--encoder-point-channels", "4")


def slr(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", signs=4, signers=8)


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert slr("pretrain", store, "--out", folder, *QUICK, *SMALL).exit_code == 0
    assert slr("probe", folder, "--resamples", "50", "--quiet").exit_code == 0
    return folder


def test_results_lists_the_scores(run: Path) -> None:
    done = slr("results", run.parent)
    assert done.exit_code == 0
    assert "first" in done.output
    path = run.parent / "results.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    edited = path.read_text().replace(rows[0]["linear 100 %: encoder"], "much", 1)
    try:
        path.write_text(edited)
        assert "much" in slr("results", run.parent).output
    finally:
        path.write_text(edited.replace("much", rows[0]["linear 100 %: encoder"]))


def test_compare_writes_its_table(store: Path, tmp_path: Path) -> None:
    words = ("compare", store, "--seeds", 1, "--out", tmp_path / "c", *QUICK, *SMALL)
    done = slr(*words, "--objectives", "sl-vicreg:2,sl-fpn")
    assert done.exit_code == 0, done.output
    for name in ("comparison.md", "comparison.json", "comparison.png"):
        assert (tmp_path / "c" / name).stat().st_size > 0
    assert (tmp_path / "c/comparison.md").read_text().strip() in done.output
    assert slr(*words, "--objectives", "nothing").exit_code == 2
    # A variant is compared with the default objective, whose runs are there.
    done = slr(*words, "--variants", "no-crop")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "c").glob("*-seed*")} == {
        *("sl-vicreg-seed0", "sl-vicreg-seed1", "sl-fpn-seed0", "no-crop-seed0")
    }


def test_a_comparison_of_a_split_that_leaks_is_marked(tmp_path: Path) -> None:
    store = write_store(
        tmp_path / "a.h5", signers=6, split=lambda _, i: ("train", "test")[i % 2], signer="anna"
    )
    words = ("compare", store, "--seeds", 1, "--out", tmp_path / "c", *QUICK, *SMALL)
    refused = slr(*words)
    assert refused.exit_code == 2
    assert "--allow-signer-leak" in refused.output
    done = slr(*words, "--objectives", "sl-vicreg", "--allow-signer-leak")
    assert done.exit_code == 0, done.output
    assert "not signer-independent" in (tmp_path / "c/comparison.md").read_text()


def test_search_draws_what_it_finds(run: Path, store: Path, tmp_path: Path) -> None:
    picture = tmp_path / "search.png"
    done = slr("search", run, store, "--clip", "sign0/signer0.mp4", "-o", picture)
    assert done.exit_code == 0, done.output
    assert "similarity" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    nowhere = slr("search", run, store, "--clip", "sign0/signer0.mp4", "-o", store / "below.png")
    assert nowhere.exit_code == 2
    assert "choose another place" in nowhere.output


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_embed_writes_one_embedding_a_clip(
    ending: str, run: Path, store: Path, tmp_path: Path
) -> None:
    done = slr("embed", run, store, tmp_path / f"e.{ending}")
    assert done.exit_code == 0, done.output
    assert "32 embeddings of 16 numbers" in done.output
    if ending == "npz":
        assert np.load(tmp_path / "e.npz", allow_pickle=False)["embeddings"].shape == (32, 16)
    nowhere = slr("embed", run, store, store / f"below.{ending}")
    assert nowhere.exit_code == 2
    assert "Error: " in nowhere.output


def test_export_says_what_the_file_takes(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = slr("export", run, tmp_path / "encoder.onnx")
    assert done.exit_code == 0, done.output
    assert "embedding (B, 16)" in done.output


def test_the_bench_of_the_probe_prints_a_row_for_every_share() -> None:
    words = ("bench", "probe", "--clips", 200, "--features", 8, "--signs", 10, "--draws", 1)
    done = slr(*words, "--fractions", "0.5,1")
    assert done.exit_code == 0, done.output
    assert [line.split(" %")[0] for line in done.output.splitlines()[1:3]] == ["50", "100"]
    assert slr(*words, "--fractions", "0").exit_code == 2


def test_a_run_and_a_store_that_cannot_be_probed_leave_the_others_their_scores(
    run: Path, store: Path, tmp_path: Path
) -> None:
    unlabelled = write_store(tmp_path / "none.h5", sign="")
    done = slr("probe", run, unlabelled, store, "--resamples", "50", "--quiet")
    assert done.exit_code == 3
    assert "no score" in done.output
    assert "pretrained on" in done.output
