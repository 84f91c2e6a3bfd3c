"""Objectives side by side: same budget, resumable, and what collapses is named."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sslmodel_corpus import write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from poseprep.labels import Label
from poseprep.options import to_options
from poseprep.store import KeypointStore
from poseprep.store_relabel import relabel
from sslmodel import trial as trying
from sslmodel.compare import Comparison, compare, summarise
from sslmodel.config import (
    ENCODER_SIZES,
    FineTuneConfig,
    PretrainConfig,
    ProbeConfig,
    SimCLRConfig,
    SLFPNConfig,
)
from sslmodel.device import IMITATED_BF16
from sslmodel.pretrain import CameApart
from sslmodel.probe import RAW, SUPERVISED, probe
from sslmodel.scores import Answers
from sslmodel.text import comparison_tables, trial_line
from sslmodel.trial import BASELINES, Trial
from sslmodel.variants import VARIANTS, Row, rows_of

pytestmark = pytest.mark.usefixtures("without_curves")

ASKED = ProbeConfig(fractions=(0.5, 1.0), shots=(1,), draws=2, resamples=100, accelerator="cpu")
BOTH = ("sl-vicreg", "sl-fpn")


def rows(config: PretrainConfig = TINY, names: Sequence[str] = BOTH, seeds: int = 2) -> list[Row]:
    return rows_of(config, names, seeds)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", signs=6, signers=8, lost=0.4)


@pytest.fixture(scope="module")
def out(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "out"
    list(compare(store, rows(), folder, ASKED, progress=False))
    return folder


@pytest.fixture
def phonology(tmp_path: Path) -> Path:
    path = tmp_path / "signs.csv"
    shapes = "".join(f"sign{i},{'flat' if i % 2 else 'fist'},place{i // 2}\n" for i in range(6))
    path.write_text("sign,handshape,location\n" + shapes)
    return path


def again(store: Path, out: Path) -> tuple[list[Trial], Comparison]:
    *trials, found = compare(store, rows(), out, ASKED, progress=False)
    assert isinstance(found, Comparison)
    return [trial for trial in trials if isinstance(trial, Trial)], found


def test_what_is_done_is_read_back_and_not_repeated(
    store: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object) -> None:
        raise AssertionError("done already")

    monkeypatch.setattr(trying, "pretrain", never)
    monkeypatch.setattr(trying, "probe", never)
    before = (out / "comparison.md").read_text()
    trials, _ = again(store, out)
    assert [(t.row, t.seed) for t in trials] == [(o, s) for s in range(2) for o in BOTH]
    assert (out / "comparison.md").read_text() == before


def test_a_remark_on_a_run_stands_below_the_table(store: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    path = tmp_path / "out/sl-fpn-seed1/answers.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "remark": "on a slow machine"}))
    again(store, tmp_path / "out")
    table = (tmp_path / "out/comparison.md").read_text()
    assert "sl-fpn, seed 1: on a slow machine" in table


def test_bf16_that_is_imitated_is_told_before_anything_is_trained(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sslmodel.compare.imitates_bf16", lambda device: True)
    for precision, expected in (("bf16", [IMITATED_BF16]), ("32", [])):
        told: list[str] = []
        config = replace(TINY, precision=precision)
        with monkeypatch.context() as patch:
            patch.setattr("sslmodel.compare.run_trial", lambda *_, to=told: to.append("trained"))
            with pytest.raises(TypeError):  # of nothing there is no trial
                next(compare(store, rows(config), tmp_path / "out", ASKED, say=told.append))
        assert told == [*expected, "trained"]


def test_a_mean_is_that_of_the_probes_of_its_runs(store: Path, out: Path) -> None:
    trials, found = again(store, out)
    for trial in trials:
        folder = out / f"{trial.row}-seed{trial.seed}"
        result = probe(folder, replace(ASKED, untrained_seeds=1), store)
        for measure, labels in trial.answers:
            for name, values in trial.values((measure, labels)).items():
                score = result.score(measure, labels, name).values
                expected = score.get("top1", score.get("map"))
                assert values.mean() == pytest.approx(expected, abs=1e-4)
    question = ("linear", "100 %")
    for row in BOTH:
        (mean,) = (m for m in found.means if (m.row, m.question) == (row, question))
        own = [t.values(question)["encoder"].mean() for t in trials if t.row == row]
        assert mean.value == pytest.approx(sum(own) / 2)
        assert mean.interval[0] <= mean.value <= mean.interval[1]
        assert mean.seeds == 2


def test_every_pair_of_rows_has_a_difference(store: Path, out: Path) -> None:
    _, found = again(store, out)
    pairs = {(lead.row, lead.against) for lead in found.leads}
    assert len(pairs) == 6  # of two objectives, untrained and raw
    for lead in found.leads:
        assert lead.interval[0] <= lead.value <= lead.interval[1]
        assert lead.sure == (not lead.interval[0] <= 0 <= lead.interval[1])


def test_a_run_that_was_trained_and_not_probed_is_probed(
    store: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = out / "sl-vicreg-seed1/answers.json"
    before = json.loads(answers.read_text())
    answers.unlink()
    told = out / "sl-vicreg-seed1/told.json"
    assert json.loads(told.read_text()) == {"told": []}
    told.write_text(json.dumps({"told": ["something of its training"]}))
    monkeypatch.setattr(trying, "pretrain", lambda *args: pytest.fail("trained already"))
    again(store, out)
    after = json.loads(answers.read_text())
    assert after["answers"] == before["answers"]
    assert "something of its training" in after["told"]


def test_a_trained_run_whose_encoder_tells_nothing_of_itself_is_damaged(
    store: Path, out: Path, tmp_path: Path
) -> None:
    shutil.copytree(out, tmp_path / "out")
    run = tmp_path / "out/sl-vicreg-seed1"
    (run / "answers.json").unlink()
    described = json.loads((run / "encoder.json").read_text())
    del described["about"]
    (run / "encoder.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match="encoder.json: damaged.*remove the folder"):
        again(store, tmp_path / "out")


def test_another_budget_in_the_same_folder_is_refused(store: Path, out: Path) -> None:
    longer = replace(TINY, epochs=TINY.epochs + 1)
    with pytest.raises(InputError, match="pretrain.epochs: .* another --out"):
        list(compare(store, rows(longer), out, ASKED, progress=False))


def test_a_run_that_was_trained_otherwise_and_not_probed_is_refused(
    store: Path, out: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(out / "sl-vicreg-seed0", tmp_path / "out/sl-vicreg-seed0")
    (copied / "answers.json").unlink()
    longer = replace(TINY, epochs=TINY.epochs + 1)
    with pytest.raises(InputError, match="pretrain.epochs"):
        list(compare(store, rows(longer, BOTH[:1], 1), tmp_path / "out", ASKED, progress=False))


def test_a_run_trained_by_another_split_and_not_probed_is_refused(
    store: Path, out: Path, tmp_path: Path
) -> None:
    relabelled = Path(shutil.copy(store, tmp_path / "a.h5"))
    copied = shutil.copytree(out / "sl-vicreg-seed0", tmp_path / "out/sl-vicreg-seed0")
    (copied / "answers.json").unlink()
    with KeypointStore(relabelled) as opened:
        clips = [opened.clip(key) for key in opened.keys]
    part = {f"signer{i}": ("train", "train", "val", "test")[i % 4] for i in range(8)}
    relabel(relabelled, {c.key: Label(c.sign, c.signer, part[c.signer]) for c in clips})
    with pytest.raises(InputError, match="learned by other labels"):
        list(compare(relabelled, rows(TINY, BOTH[:1], 1), tmp_path / "out", ASKED, progress=False))


def test_other_labels_are_another_comparison(store: Path, out: Path, tmp_path: Path) -> None:
    relabelled = Path(shutil.copy(store, tmp_path / "a.h5"))
    with KeypointStore(relabelled) as opened:
        signs = dict(zip(opened.keys, opened.signs[::-1], strict=True))
        labels = {key: Label(sign, opened.clip(key).signer) for key, sign in signs.items()}
    relabel(relabelled, labels)
    with pytest.raises(InputError, match="labels_sha256"):
        list(compare(relabelled, rows(), out, ASKED, progress=False))


def test_a_store_that_allows_no_score_is_refused_before_training(tmp_path: Path) -> None:
    leaking = write_store(
        tmp_path / "a.h5", split=lambda sign, signer: ("train", "test")[sign % 2], signs=4
    )
    with pytest.raises(InputError, match="several parts"):
        list(compare(leaking, rows(TINY, BOTH, 1), tmp_path / "out", ASKED, progress=False))
    assert not (tmp_path / "out").exists()


def test_the_same_objective_twice_is_one(store: Path, out: Path) -> None:
    *_, found = compare(store, rows(TINY, (*BOTH, *BOTH)), out, ASKED, progress=False)
    assert isinstance(found, Comparison)
    assert {mean.seeds for mean in found.means if mean.row in BOTH} == {2}


def test_differences_are_of_the_seeds_that_both_sides_have() -> None:
    def trial(objective: str, seed: int, hits: float) -> Trial:
        values = {"encoder": {"top1": np.full((1, 1, 4), hits)}}
        truth, signers = np.arange(4) % 2, np.full(4, "", object)
        answers = Answers("linear", "100 %", 4, 1.0, values, truth, signers, {"top1": 0.5})
        return Trial(objective, seed, False, "", {("linear", "100 %"): answers})

    trials = [trial("a", 0, 0.0), trial("a", 1, 1.0), trial("b", 1, 1.0), trial("b", 2, 0.0)]
    (lead,) = summarise(trials, Path("out"), ASKED, []).leads
    assert lead.value == 0  # of seed 1


def test_settings_of_other_objectives_do_not_count(
    store: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "pretrain", lambda *args: pytest.fail("trained already"))
    other = replace(TINY, simclr=SimCLRConfig(temperature=0.5))
    assert len(list(compare(store, rows(other), out, ASKED, progress=False))) == 5
    own = replace(TINY, sl_fpn=SLFPNConfig(predictor_weight=0.1))
    with pytest.raises(InputError, match="sl_fpn.predictor_weight: 0.5 → 0.1"):
        list(compare(store, rows(own), out, ASKED, progress=False))


def test_a_damaged_answer_is_told(store: Path, out: Path) -> None:
    path = out / "sl-fpn-seed0/answers.json"
    before = path.read_text()
    try:
        path.write_text("{}")
        with pytest.raises(InputError, match="damaged.*done again"):
            again(store, out)
    finally:
        path.write_text(before)


def test_a_run_that_collapses_or_comes_apart_is_named_and_the_others_go_on(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trying.pretrain

    def train(config, stores, out, progress, **how):  # type: ignore[no-untyped-def]
        if (config.objective, config.seed) == ("sl-fpn", 1):
            raise CameApart("training came apart in epoch 1: …")
        return replace(
            real(config, stores, out, progress, **how),
            advice="collapsed" if config.objective == "sl-fpn" else "",
        )

    monkeypatch.setattr(trying, "pretrain", train)
    trials, found = again(store, tmp_path / "out")
    assert found.collapsed == ["sl-fpn, seed 0"]
    assert list(found.failed) == ["sl-fpn, seed 1"]
    tables = comparison_tables(found)
    assert "Collapsed: sl-fpn, seed 0." in tables
    assert "| sl-vicreg, 2 seeds |" in tables
    assert "| sl-fpn, 1 seed (collapsed) |" in tables
    assert "Not finished: sl-fpn, seed 1: training came apart" in tables
    assert trial_line(trials[1]).startswith("sl-fpn, seed 0: collapsed; ")
    assert "came apart" in trial_line(trials[3])
    assert {mean.seeds for mean in found.means if mean.row == "sl-vicreg"} == {2}
    assert {mean.seeds for mean in found.means if mean.row == "sl-fpn"} == {1}


def test_a_plot_and_a_table_are_written(out: Path) -> None:
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
    head, _, *rows = (out / "comparison.md").read_text().splitlines()[:6]
    assert head.startswith("|  | linear, 100 %")
    assert [row.split(" | ")[0] for row in rows] == [
        *("| sl-vicreg", "| sl-fpn", "| untrained encoder", "| raw coordinates"),
    ]


def test_minimal_pairs_have_a_table_of_their_own(
    store: Path, out: Path, phonology: Path, tmp_path: Path
) -> None:
    for run in ("sl-vicreg-seed0",):
        copied = shutil.copytree(out / run, tmp_path / "out" / run)
        (copied / "answers.json").unlink()
    asked = replace(ASKED, phonology=str(phonology))
    one = ("sl-vicreg",)
    trial, found = compare(store, rows(TINY, one, 1), tmp_path / "out", asked, progress=False)
    assert isinstance(trial, Trial)
    assert isinstance(found, Comparison)
    question = ("minimal pairs", "handshape")
    assert list(trial.values(question)) == ["encoder", "untrained encoder", "raw coordinates"]
    tables = comparison_tables(found)
    assert "| handshape | location |" in tables.split("Minimal pairs, signs that differ")[1]
    assert "minimal pairs" not in tables.splitlines()[0]
    # The same table elsewhere is the same budget; another one is not.
    moved = replace(asked, phonology=str(shutil.copy(phonology, tmp_path / "moved.csv")))
    again_found = list(compare(store, rows(TINY, one, 1), tmp_path / "out", moved, progress=False))[
        -1
    ]
    assert again_found.means == found.means  # type: ignore[union-attr]
    phonology.write_text(phonology.read_text().replace("place2", "place1"))
    with pytest.raises(InputError, match="another store, labels or budget.*probe.phonology"):
        list(compare(store, rows(TINY, one, 1), tmp_path / "out", asked, progress=False))


def test_every_variant_changes_something_and_only_that() -> None:
    for name in VARIANTS:
        (row,) = rows_of(PretrainConfig(), [name], 3)
        found, wanted = to_options(row.config), to_options(PretrainConfig())
        changed = {key for key in found if found[key] != wanted[key]}
        # Pooled to fewer numbers, as wide as before.
        pooled = {"encoder_features"} if name in ("one-time-bin", "no-time-peaks") else set()
        assert changed == set(VARIANTS[name]) | pooled, name
        assert row.seeds == 3
        for size in ENCODER_SIZES.values():
            (row,) = rows_of(replace(PretrainConfig(), encoder=size), [name], 1)
            assert row.config.encoder.width == size.width


def test_a_row_can_have_its_own_number_of_seeds() -> None:
    found = rows_of(TINY, ("sl-vicreg:5", "no-crop"), 2)
    assert [(row.name, row.seeds) for row in found] == [("sl-vicreg", 5), ("no-crop", 2)]
    assert [row.config.views.crop for row in found] == [TINY.views.crop, 0.0]
    every = rows_of(TINY, ("sl-vicreg", "all:1"), 2)
    assert [row.name for row in every] == ["sl-vicreg", *VARIANTS]
    assert [row.seeds for row in every] == [2] + [1] * len(VARIANTS)
    but_one = rows_of(TINY, ("all:2", "st-gcn:0"), 1)
    assert [row.name for row in but_one] == [name for name in VARIANTS if name != "st-gcn"]
    for wrong in ("sl-vicreg:0", "sl-vicreg:x", "banana:0", "all:0"):
        with pytest.raises(InputError, match=wrong.partition(":")[0]):
            rows_of(TINY, (wrong,), 2)


def with_hits(
    row: str, seed: int, encoder: float, untrained: float, baselines: tuple[str, ...] = BASELINES
) -> Trial:
    """A run whose encoder, untrained encoder and raw coordinates hit these shares of 40 clips."""
    rows_hit = {"encoder": encoder, "untrained encoder": untrained, "raw coordinates": 0.0}
    values = {name: {"top1": np.full((1, 1, 40), hits)} for name, hits in rows_hit.items()}
    who = np.arange(40) % 4, np.array(["anna", "ben"] * 20, object)
    answers = Answers("linear", "100 %", 20.0, 1.0, values, *who, {})
    return Trial(row, seed, False, "", {("linear", "100 %"): answers}, baselines=baselines)


def test_of_many_rows_the_differences_of_the_first_and_from_the_baselines_are_told() -> None:
    failed = Trial("row0", 0, False, "came apart", {})
    others = [with_hits(f"row{i}", 0, i / 8, 0.5) for i in range(1, 6)]
    found = summarise([failed, *others, with_hits("row0", 1, 1.0, 0.5)], Path("x"), ASKED, [])
    told = {(lead.row, lead.against) for lead in found.leads}
    baselines = ("untrained encoder", "raw coordinates")
    trained = [f"row{i}" for i in range(6)]
    # The first row is the first asked for, though its first seed failed.
    expected = {("row0", row) for row in trained[1:]} | {baselines}
    assert told == expected | {(row, baseline) for row in trained for baseline in baselines}


def test_the_untrained_baseline_is_that_of_rows_with_the_first_ones_encoder() -> None:
    trials = [with_hits("ours", 0, 0.9, 0.8), with_hits("st-gcn", 0, 0.5, 0.2, (RAW,))]
    found = summarise(trials, Path("x"), ASKED, [])
    (untrained,) = (mean for mean in found.means if mean.row == "untrained encoder")
    assert untrained.value == pytest.approx(0.8)


def test_what_runs_tell_stands_once_with_those_that_it_is_of() -> None:
    trials = [replace(with_hits("ours", seed, 0.9, 0.8), told=("of all",)) for seed in (0, 1)]
    one = replace(trials[1], told=("of all", "of one", "of one"), trained_on="cpu in float32")
    alike = summarise([trials[0], one], Path("x"), ASKED, ["of all", "of the store"])
    assert alike.notes == ["of all", "of the store", "ours, seed 1: of one"]
    elsewhere = replace(trials[0], trained_on="cuda in bf16")
    apart = summarise([elsewhere, one], Path("x"), ASKED, [])
    places = ["ours, seed 0: trained on cuda in bf16", "ours, seed 1: trained on cpu in float32"]
    assert sorted(apart.notes) == sorted(["of all", "ours, seed 1: of one", *places])
    failed = Trial("ours", 2, False, "came apart", {}, told=("of what failed",))
    notes = summarise([one, failed], Path("x"), ASKED, []).notes
    assert notes == ["of all", "of one", "ours, seed 2: of what failed"]
    older = replace(trials[0], told=())  # nobody took it down then
    assert summarise([older, trials[1]], Path("x"), ASKED, ["of all"]).notes == ["of all"]


@pytest.mark.parametrize(
    ("all_clips", "part", "mark"), [(True, "test", "transductive"), (False, "val", "scored on val")]
)
def test_a_comparison_is_marked_as_its_scores_are(
    all_clips: bool, part: str, mark: str, store: Path, tmp_path: Path
) -> None:
    asked = replace(ASKED, part=part, allow_signer_leak=True)
    config = replace(TINY, epochs=1, all_clips=all_clips)
    *_, found = compare(store, rows(config, BOTH[:1], 1), tmp_path, asked, progress=False)
    assert isinstance(found, Comparison)
    assert sum(mark in note for note in found.notes) == 1
    assert f"Note: {mark}" in (tmp_path / "comparison.md").read_text()


def test_what_learns_labels_is_a_baseline_with_the_first_rows_views_alone(
    store: Path, tmp_path: Path
) -> None:
    asked = replace(ASKED, supervised=True, tune=FineTuneConfig(epochs=1, fewest_steps=2))
    weaker = replace(TINY, epochs=1, views=replace(TINY.views, crop=0.0))
    ours = Row("ours", replace(TINY, epochs=1), 1)
    found = list(compare(store, [ours, Row("no-crop", weaker, 2)], tmp_path, asked, progress=False))
    summary = found[-1]
    assert isinstance(summary, Comparison)
    seeds = {mean.row: mean.seeds for mean in summary.means if mean.question == ("linear", "100 %")}
    assert (seeds[SUPERVISED], seeds["untrained encoder"], seeds["no-crop"]) == (1, 2, 2)


def test_rows_that_read_other_clips_or_cannot_be_trained_are_refused_at_once(
    store: Path, tmp_path: Path
) -> None:
    one, other = (Row(str(seed), replace(TINY, split_seed=seed), 1) for seed in (0, 1))
    wrong = Row("wrong", replace(TINY, encoder=replace(TINY.encoder, features=15)), 1)
    for pair, message in (((one, other), "otherwise than 0"), ((one, wrong), "a multiple of 4")):
        with pytest.raises(InputError, match=message):
            list(compare(store, pair, tmp_path / "out", ASKED, progress=False))
    assert not (tmp_path / "out").exists()


def test_training_with_the_labels_alone_stands_beside(store: Path, tmp_path: Path) -> None:
    asked = replace(ASKED, supervised=True, tune=FineTuneConfig(epochs=1, fewest_steps=2))
    *_, found = compare(store, rows()[:1], tmp_path, asked, progress=False)
    assert isinstance(found, Comparison)
    asked_of = {mean.question[0] for mean in found.means if mean.row == SUPERVISED}
    assert asked_of == {"linear"}
    assert any((lead.row, lead.against) == ("sl-vicreg", SUPERVISED) for lead in found.leads)
    (line,) = (
        line
        for line in comparison_tables(found).splitlines()
        if line.startswith(f"| {SUPERVISED} |")
    )
    assert "–" in line, "it answers linear evaluation's questions alone"
