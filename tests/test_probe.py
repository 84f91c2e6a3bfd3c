"""Linear evaluation, its baselines, and what it refuses."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sslmodel_corpus import HAND, SMALL, write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from poseprep.labels import Label
from poseprep.skeleton import HOLISTIC
from poseprep.store import KeypointStore
from poseprep.store_relabel import relabel
from sslmodel.config import FineTuneConfig, ProbeConfig
from sslmodel.dataset import load
from sslmodel.measures import index_sizes
from sslmodel.plots import plot_curve
from sslmodel.pretrain import pretrain
from sslmodel.probe import ProbeResult, evaluation_split, probe
from sslmodel.results import read_results
from sslmodel.runlog import Record
from sslmodel.runs import read_run
from sslmodel.split import leaking_signers
from sslmodel.task import Task
from sslmodel.text import results_table, score_table, transfer_table
from sslmodel.transfer import NotProbed, probe_all

pytestmark = pytest.mark.usefixtures("without_curves")

CONFIG = ProbeConfig(
    fractions=(0.5, 1.0), shots=(1,), draws=2, untrained_seeds=2, resamples=100, accelerator="cpu"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", signers=8)


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    pretrain(TINY, [store], folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def result(run: Path) -> ProbeResult:
    return probe(run, CONFIG)


def predictions(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_probe_scores_the_encoder_beside_its_baselines(
    run: Path, store: Path, result: ProbeResult
) -> None:
    asked = list(dict.fromkeys((score.measure, score.labels) for score in result.scores))
    assert asked == [
        *(("linear", labels) for labels in ("100 %", "50 %")),
        *(("kNN", "100 %"), ("nearest centroid", "1 a sign"), ("retrieval", "100 %")),
    ]
    rows = ["encoder", "untrained encoder", "raw coordinates", "chance"]
    for measure, labels in asked:
        of_group = [s for s in result.scores if (s.measure, s.labels) == (measure, labels)]
        assert [score.features for score in of_group] == rows
        for score in of_group:
            for name, value in score.values.items():
                low, high = score.intervals[name]
                assert 0 <= low <= value <= high <= 1
        assert of_group[1].encoders == 2
        leads = [d for d in result.differences if (d.measure, d.labels) == (measure, labels)]
        assert [lead.against for lead in leads] == rows[1:3]
        for lead, score in zip(leads, of_group[1:], strict=False):
            value = of_group[0].values[lead.metric] - score.values[lead.metric]
            assert lead.value == pytest.approx(value)
            assert lead.interval[0] <= lead.value <= lead.interval[1]
    best = result.score("linear")
    assert best.values["top1"] > result.score("linear", features="chance").values["top1"]
    assert best.values["top1"] <= best.values["top5"]
    assert result.score("linear", "50 %").draws == 2
    assert result.split.startswith("by signer")


def test_everything_that_a_score_stands_on_is_written(
    run: Path, store: Path, result: ProbeResult
) -> None:
    written = json.loads((run / "probe/scores.json").read_text())
    assert written["scores"][0]["values"] == result.scores[0].values
    assert written["store"]["path"] == str(store)
    assert written["coverage"]["used"] == 24
    for name in ("encoder_sha256", "split_sha256", "versions", "config", "pretrain"):
        assert written[name]
    assert (run / "probe/confusion.png").read_bytes().startswith(b"\x89PNG")
    rows = predictions(run / "probe")
    assert len(rows) == result.coverage.parts["test"]
    hits = np.mean([row["sign"] == row["predicted_1"] for row in rows])
    assert hits == pytest.approx(result.score("linear").values["top1"])


def test_the_same_probe_gives_the_same_scores(run: Path, result: ProbeResult) -> None:
    assert probe(run, CONFIG).scores == result.scores


def test_another_store_is_split_afresh_and_said(run: Path, tmp_path: Path) -> None:
    other = write_store(tmp_path / "other.h5", signers=7, seed=3)
    result = probe(run, CONFIG, other)
    assert "split afresh" in result.notes[0]
    assert result.folder.parent == run / "probe"
    assert result.folder.name.startswith("other-")


@pytest.mark.parametrize("all_clips", [False, True])
def test_a_store_that_has_grown_never_tests_what_was_trained_on(
    all_clips: bool, tmp_path: Path
) -> None:
    store = write_store(tmp_path / "a.h5", signers=8)
    pretrain(replace(TINY, all_clips=all_clips), [store], tmp_path / "r", progress=False)
    run = read_run(tmp_path / "r")
    (before,) = (entry["parts"] for entry in run.splits.values())
    write_store(store, signers=14)  # the same path, more signers
    dataset = load(store, SMALL, TINY.input)
    for seed in range(3):
        own, split, notes = evaluation_split(run, dataset, ProbeConfig(split_seed=seed))
        after = dict(zip(dataset.keys, split.part, strict=True))
        assert {key: after[key] for key in before} == before
        assert (split.part != "").all()
        assert not own
        assert "24 of its 42 clips were in the run and keep their part" in notes[0]
        assert any("transductive" in note for note in notes) == all_clips
        assert leaking_signers(split, dataset.signers, dataset.splits) == []
    assert probe(tmp_path / "r", CONFIG).coverage.used == 42


def test_having_seen_every_clip_is_said(store: Path, tmp_path: Path) -> None:
    pretrain(replace(TINY, all_clips=True), [store], tmp_path / "r", progress=False)
    assert "transductive" in probe(tmp_path / "r", CONFIG).notes[0]


def test_a_score_over_known_signers_is_marked(run: Path, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", signers=9, seed=5, signer="anna")
    with pytest.raises(InputError, match="anna.*there is one signer"):
        probe(run, CONFIG, path)
    marked = probe(run, replace(CONFIG, allow_signer_leak=True), path)
    assert any("not signer-independent" in note for note in marked.notes)


def test_a_store_that_lacks_points_is_probed_and_they_are_told(run: Path, tmp_path: Path) -> None:
    result = probe(run, CONFIG, write_store(tmp_path / "hand.h5", HAND, signers=8))
    assert any("28 of the encoder's 49 points are not in" in note for note in result.notes)
    written = json.loads((result.folder / "scores.json").read_text())
    assert len(written["store"]["missing_points"]) == 28


def test_a_store_that_shares_no_point_is_refused(run: Path, tmp_path: Path) -> None:
    face = HOLISTIC.select(["face_1", "face_2"])
    with pytest.raises(InputError, match="none of the 49 points"):
        probe(run, CONFIG, write_store(tmp_path / "face.h5", face))


def test_val_is_scored_in_tests_place_and_test_is_not_touched(run: Path, store: Path) -> None:
    before = (run / "probe/scores.json").read_bytes()
    result = probe(run, replace(CONFIG, part="val"))
    split = json.loads((run / "split.json").read_text())
    (parts,) = (entry["parts"] for entry in split.values())
    assert {parts[row["key"]] for row in predictions(result.folder)} == {"val"}
    assert result.coverage.left_out == {"in no part": list(parts.values()).count("test")}
    assert any("no result" in note for note in result.notes)
    assert (run / "probe/scores.json").read_bytes() == before


def test_without_baselines_only_the_encoder_is_asked(run: Path) -> None:
    result = probe(run, replace(CONFIG, baselines=False, part="val"))
    assert {score.features for score in result.scores} == {"encoder", "chance"}
    assert result.differences == []


def test_training_with_labels_stands_beside_the_frozen_encoder(run: Path) -> None:
    tune = FineTuneConfig(epochs=1, fewest_steps=2)
    config = replace(CONFIG, part="val", finetune="last", supervised=True, tune=tune)
    result = probe(run, config)
    for labels, draws in (("100 %", 1), ("50 %", 2)):
        tuned = result.score("fine-tuned (last)", labels)
        scratch = result.score("fine-tuned (last)", labels, "trained from scratch")
        beside = result.score("linear", labels, "trained from scratch")
        assert tuned.draws == scratch.draws == draws
        assert scratch.values == beside.values
        assert tuned.labelled == result.score("linear", labels).labelled
    assert ("linear", "trained from scratch") in {
        (d.measure, d.against) for d in result.differences
    }


def test_who_signs_and_each_signer_left_out_are_asked_when_wanted(run: Path) -> None:
    result = probe(run, replace(CONFIG, part="val", signer_probe=True, leave_one_signer_out=True))
    who = result.score("who signs", features="chance")
    assert who.values["top1"] == pytest.approx(1 / 6)  # two signers of test are not shown
    left_out = result.score("leave one signer out")
    assert left_out.values["top1"] > 1 / 3
    assert 0 < left_out.share < 1


def test_a_run_whose_store_is_gone_asks_for_it(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", signers=8)
    pretrain(TINY, [store], tmp_path / "r", progress=False)
    moved = store.rename(tmp_path / "b.h5")
    with pytest.raises(InputError, match="not there any more"):
        probe(tmp_path / "r", CONFIG)
    notes = probe(tmp_path / "r", CONFIG, moved).notes
    assert notes == ["6 test clips only: see the intervals"], "its content is what counts"


@pytest.mark.parametrize("change", [{"resamples": 0}, {"seed": -1}, {"accelerator": "banana"}])
def test_settings_that_cannot_be_are_refused(change, run: Path) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(change))}: expected"):
        probe(run, replace(CONFIG, **change))


def test_a_signs_name_is_no_mathematics(run: Path, tmp_path: Path) -> None:
    path = write_store(
        tmp_path / "a.h5", signers=8, seed=5, sign=lambda sign, signer: rf"$\foo{sign}$"
    )
    assert (probe(run, CONFIG, path).folder / "confusion.png").stat().st_size > 0
    plot_curve([Record(0, 0.3, 5.0), Record(1, 0.4, 5.0, 1.0, {})], tmp_path / "c.png", r"$\foo$")


def test_the_table_says_what_pretraining_bought_and_who_shows_nobody(result: ProbeResult) -> None:
    coverage = replace(result.coverage, without_person=3)
    table = score_table(replace(result, coverage=coverage))
    assert "; 3 clips show nobody" in table
    assert "linear, 50 %: " in table
    assert table.count("encoder −") == 5
    assert "show no person" not in score_table(result)


def test_runs_and_stores_give_a_table_of_transfer(run: Path, store: Path, tmp_path: Path) -> None:
    other = write_store(tmp_path / "other.h5", signers=7, seed=3)
    second = tmp_path / "second"
    pretrain(TINY, [other], second, progress=False)
    config = replace(CONFIG, fractions=(1.0,), shots=())
    results = list(probe_all([run, second], [store, other], config))
    assert [(r.run, r.store) for r in results] == [
        *((run, store), (run, other), (second, store), (second, other)),
    ]
    lines = transfer_table(results).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [str(run), str(second)]
    assert all(line.count("to ") == 2 for line in lines[2:])


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run"):
        probe(tmp_path / "nothing", CONFIG)


def test_minimal_pairs_are_scored_where_a_table_tells_them(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "signs.csv"
    table.write_text(
        "sign,handshape,location\nsign0,flat,chest\nsign1,fist,chest\nsign2,fist,belly\n"
    )
    result = probe(run, replace(CONFIG, phonology=str(table)))
    for parameter in ("handshape", "location"):
        score = result.score("minimal pairs", parameter)
        assert score.intervals["top1"][0] <= score.values["top1"] <= score.intervals["top1"][1]
        assert result.score("minimal pairs", parameter, "chance").values["top1"] == 0.5
    assert "among these signs: handshape 1, location 1" in result.notes[-1]
    assert "minimal pairs, location" in score_table(result)
    with pytest.raises(InputError, match="none.csv: expected a CSV"):
        probe(run, replace(CONFIG, phonology=str(tmp_path / "none.csv")))


def test_a_table_that_names_none_of_the_signs_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "signs.csv").write_text("sign,handshape\nelsewhere,flat\n")
    with pytest.raises(InputError, match="names none of the signs"):
        probe(run, replace(CONFIG, phonology=str(tmp_path / "signs.csv")))


def test_a_store_says_which_videos_it_has_no_clip_of(tmp_path: Path) -> None:
    clips = write_store(tmp_path / "a.h5", signs=1, signers=2)
    with KeypointStore(clips) as old, KeypointStore.create(tmp_path / "b.h5", SMALL) as writer:
        for clip in old.clips():
            writer.add(clip)
        writer.add_problem("sign0/signer0.mp4", "cut short")
        writer.add_problem("sign1/lost.mp4", "no video")
    assert load(tmp_path / "b.h5", SMALL, TINY.input).problems == {"sign1/lost.mp4": "no video"}


def test_each_of_a_runs_stores_keeps_its_own_scores(store: Path, tmp_path: Path) -> None:
    second = write_store(tmp_path / "b.h5", seed=7, signers=8, signer=lambda _, i: f"other{i}")
    pretrain(TINY, [store, second], tmp_path / "r", progress=False)
    results = list(probe_all([tmp_path / "r"], [], CONFIG))
    folders = {result.folder for result in results if isinstance(result, ProbeResult)}
    assert len(folders) == 2
    assert all((folder / "scores.json").is_file() for folder in folders)


def test_one_store_that_cannot_be_probed_does_not_lose_the_table(
    run: Path, store: Path, tmp_path: Path
) -> None:
    unlabelled = write_store(tmp_path / "none.h5", sign="")
    found = list(probe_all([run], [unlabelled, store], CONFIG))
    assert isinstance(found[0], NotProbed)
    assert isinstance(found[1], ProbeResult)
    table = transfer_table(found)
    assert "no score" in table
    assert "a score needs at least two signs" in table
    with pytest.raises(InputError, match="at least two signs"):
        list(probe_all([run], [unlabelled], CONFIG))


def test_people_whom_pretraining_saw_are_told(run: Path, tmp_path: Path) -> None:
    # The same names, other clips: in every split somebody of test is one of them.
    other = write_store(tmp_path / "other.h5", signers=8, seed=9)
    notes = [
        evaluation_split(read_run(run), load(other, SMALL, TINY.input), ProbeConfig(split_seed=s))
        for s in range(5)
    ]
    assert any("whom pretraining saw" in note for _, _, told in notes for note in told)
    strangers = write_store(tmp_path / "b.h5", signers=8, seed=9, signer=lambda _, i: f"new{i}")
    told = probe(run, CONFIG, strangers).notes
    assert not any("whom pretraining saw" in note for note in told)


@pytest.mark.parametrize("option", ["signer_probe", "leave_one_signer_out"])
def test_questions_about_signers_need_known_ones(option: str, run: Path, tmp_path: Path) -> None:
    nobody = write_store(tmp_path / "a.h5", signers=8, seed=3, signer="")
    with pytest.raises(InputError, match="two signers or more.*found 0.*slr label"):
        probe(run, replace(CONFIG, **{option: True}), nobody)


def test_clips_of_unknown_signers_are_no_signer_of_their_own(run: Path, tmp_path: Path) -> None:
    path = write_store(
        tmp_path / "a.h5", signers=8, seed=3, signer=lambda _, i: f"s{i}" if i < 4 else ""
    )
    asked = replace(CONFIG, leave_one_signer_out=True, signer_probe=True)
    result = probe(run, asked, path)
    assert result.score("leave one signer out").labelled == 9  # three of four signers, three signs
    assert "of leave one signer out, 12 clips" in result.intervals


def test_who_cannot_be_looked_up_is_told(run: Path, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", signers=9, seed=5, signer="anna")
    notes = probe(run, replace(CONFIG, allow_signer_leak=True), path).notes
    assert any("cannot be looked up" in note for note in notes)


def test_a_place_that_cannot_be_written_is_told_and_no_result_is_counted(
    run: Path, store: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "r"
    shutil.copytree(run, copied, ignore=shutil.ignore_patterns("probe"))
    (copied / "probe").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        probe(copied, CONFIG, store)
    assert not (tmp_path / "results.csv").exists()


def test_labels_that_changed_since_are_told_and_the_runs_split_is_kept(
    run: Path, store: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copy(store, tmp_path / "a.h5"))
    with KeypointStore(other) as opened:
        clips = {key: opened.clip(key) for key in opened.keys}
    relabel(other, {key: Label(clip.sign, clip.signer, "train") for key, clip in clips.items()})
    result = probe(run, CONFIG, other)
    assert result.coverage.parts == probe(run, CONFIG, store).coverage.parts
    assert any("now differ for" in note and "Pretrain again" in note for note in result.notes)


def test_a_train_part_that_shows_nobody_is_refused(run: Path, tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", HAND, signers=8, lost=1.1)
    with pytest.raises(InputError, match="no clip of train shows a person"):
        probe(run, CONFIG, path)


def test_copies_are_known_whatever_their_confidence_and_times(store: Path, tmp_path: Path) -> None:
    with KeypointStore(store) as opened:
        clips = list(opened.clips())
    with KeypointStore.create(tmp_path / "b.h5", clips[0].skeleton) as writer:
        for clip in clips:
            writer.add(replace(clip, confidence=clip.confidence * 0.5, time=clip.time * 2))
    digests = [load(path, SMALL, TINY.input).digests for path in (store, tmp_path / "b.h5")]
    assert (digests[0] == digests[1]).all()


def test_fewer_clips_than_shots_are_said_and_drawn_once(result: ProbeResult, run: Path) -> None:
    many = probe(run, replace(CONFIG, shots=(1, 99)))
    assert many.score("nearest centroid", "at most 99 a sign").draws == 1
    assert many.score("nearest centroid", "1 a sign").draws == CONFIG.draws


def test_the_list_of_results_marks_scores_that_flatter(store: Path, tmp_path: Path) -> None:
    pretrain(replace(TINY, all_clips=True), [store], tmp_path / "all", progress=False)
    leaking = write_store(tmp_path / "leak.h5", signers=9, seed=5, signer="anna")
    same_names = write_store(tmp_path / "names.h5", signers=8, seed=9)
    pretrain(TINY, [store], tmp_path / "r", progress=False)
    probe(tmp_path / "all", CONFIG)
    probe(tmp_path / "r", CONFIG)
    probe(tmp_path / "r", replace(CONFIG, allow_signer_leak=True), leaking)
    for seed in range(3):  # by one of these splits somebody of test has a name that train had
        probe(tmp_path / "r", replace(CONFIG, split_seed=seed), same_names)
    _, *lines = results_table(read_results(tmp_path / "results.csv")).splitlines()
    assert lines[0].endswith("transductive")
    assert not lines[1].endswith(("leak", "transductive", "?"))
    assert lines[2].endswith("signers leak")
    assert any(line.endswith("known signers?") for line in lines[3:])


def test_an_index_is_counted_as_retrieval_sees_it() -> None:
    random = np.random.default_rng(0)
    part, names = random.integers(0, 3, 60), np.array(["a", "b", "c"], object)
    signers = random.choice(np.array(["", "x", "y", "z"], object), 60)
    signs = random.integers(0, 3, 60)
    task = Task(names, signs, part == 0, part == 1, part == 2, signers)
    total, relevant = index_sizes(task)
    index = part < 2
    for i, clip in enumerate(np.flatnonzero(part == 2)):
        others = index & ((signers != signers[clip]) | (signers == ""))
        assert total[i] == others.sum()
        assert relevant[i] == (others & (signs == signs[clip])).sum()


def test_val_that_was_cut_from_the_labels_train_is_no_change_of_labels(tmp_path: Path) -> None:
    split = write_store(
        tmp_path / "a.h5", signers=8, split=lambda sign, signer: ("train", "test")[signer % 4 == 0]
    )
    done = pretrain(TINY, [split], tmp_path / "r", progress=False).folder
    assert not any("now differ" in note for note in probe(done, CONFIG).notes)
