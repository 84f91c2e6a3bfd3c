"""The page about a run: all that it should show, safe, small, and drawn by a browser."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from sslmodel_corpus import HAND, write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from slr_toolkit.cli import main
from sslmodel.config import ProbeConfig
from sslmodel.pretrain import pretrain
from sslmodel.probe import probe
from sslmodel.report import write_report
from sslmodel.report.collect import collect
from sslmodel.report.confused import by_sign, matrix, pairs
from sslmodel.report.html import Html, name, tag
from sslmodel.report.nearest import lookups, mistakes
from sslmodel.report.scored import Prediction, read_scored

pytestmark = pytest.mark.usefixtures("without_curves")

VOID = {"meta", "img", "br"}
ODD = '<b>"$x$&'
QUICK = ProbeConfig(
    fractions=(0.5, 1.0), shots=(1,), draws=2, untrained_seeds=1, resamples=50, accelerator="cpu"
)


@dataclass
class Page:
    """A page taken apart."""

    whole: str
    tags: Counter = field(default_factory=Counter)
    ids: Counter = field(default_factory=Counter)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    text: str = ""


def parsed(path: Path) -> Page:
    """Fails where the tags do not match each other."""
    page, open_tags = Page(path.read_text(encoding="utf-8")), []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag not in VOID:
                open_tags.append(tag)
            page.tags[tag] += 1
            for name_, value in attributes:
                page.attributes.append((tag, name_, value or ""))
                if name_ == "id":
                    page.ids[value] += 1

        def handle_startendtag(self, tag, attributes):
            self.handle_starttag(tag, attributes)
            self.handle_endtag(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

        def handle_data(self, data):
            page.text += data if "style" not in open_tags else ""

    reader = Reader()
    reader.feed(page.whole)
    reader.close()
    assert open_tags == []
    return page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    store = write_store(folder / "a.h5", signers=8)
    pretrain(TINY, [store], folder / "run", progress=False)
    probe(folder / "run", QUICK)
    return folder / "run"


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return parsed(write_report(run, run.parent / "page.html").path)


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "copy")


def change_scores(run: Path, **values: object) -> None:
    path = run / "probe" / "scores.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_page_has_every_section_once(page: Page) -> None:
    titles = re.findall(r"<h2 [^>]*>(.*?)</h2>", page.whole)
    assert titles == [
        *("What was trained on what", "Training", "Scores", "Which signs are confused"),
        *("The embedding as a map", "Clips beside each other", "Data quality"),
    ]
    assert page.tags["h1"] == 1
    assert page.tags["main"] == 1
    for words in ("sl-vicreg", "landmarker made up 1", "signer7", "Every clip shows a person"):
        assert words in page.text


def test_a_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert page.tags["script"] == 0
    assert "http:" not in page.whole
    assert "https:" not in page.whole
    for element, attribute, value in page.attributes:
        assert not attribute.startswith("on")
        if attribute in ("src", "href"):
            assert value.startswith(("#", "data:image/png;base64,")), (element, value)
    assert set(re.findall(r"url\((.)", page.whole)) <= {"#"}
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert ("meta", "content", policy) in page.attributes


def test_every_id_is_there_once_and_every_reference_leads_somewhere(page: Page) -> None:
    assert set(page.ids.values()) == {1}
    targets = [v[1:] for _, a, v in page.attributes if a == "href" and v.startswith("#")]
    targets += re.findall(r"url\(#([^)]+)\)", page.whole)
    assert targets
    assert set(targets) <= set(page.ids)


def test_every_picture_is_said_in_words(page: Page) -> None:
    described = Counter(e for e, a, v in page.attributes if (e, a) in PICTURES and v)
    assert described == {"svg": page.tags["svg"], "img": page.tags["img"]}


PICTURES = {("svg", "aria-label"), ("img", "alt")}


def test_charts_follow_light_and_dark(page: Page) -> None:
    assert "prefers-color-scheme:dark" in page.whole
    assert "stroke: var(--blue)" in page.whole
    assert not re.search(r"#[0-9a-f]{2}fe[0-9a-f]{2}", page.whole)
    assert not re.search(r"(fill|stroke): #000000", page.whole)


def test_the_same_run_gives_the_same_page(run: Path, page: Page, tmp_path: Path) -> None:
    assert write_report(run, tmp_path / "b.html").path.read_text() == page.whole


def test_names_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    store = write_store(
        tmp_path / "<i>&.h5",
        signers=6,
        sign=lambda sign, signer: f"{ODD}{sign}\u202e",
        signer=lambda sign, signer: f"<script>alert({signer})</script>",
    )
    pretrain(TINY, [store], tmp_path / "<u>&run", progress=False)
    probe(tmp_path / "<u>&run", QUICK)
    page = parsed(write_report(tmp_path / "<u>&run").path)
    assert ODD in page.text
    assert "<u>&run" in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.whole
    assert page.tags["script"] == page.tags["u"] == 0
    assert ODD not in page.whole
    assert "<i>&" not in page.whole


@pytest.mark.parametrize("collapsed", [False, True])
def test_the_verdict_says_whether_it_collapsed_and_what_training_bought(
    collapsed: bool, copy: Path
) -> None:
    described = json.loads((copy / "encoder.json").read_text())
    described["about"]["collapsed"] = collapsed
    (copy / "encoder.json").write_text(json.dumps(described))
    written = json.loads((copy / "probe/scores.json").read_text())
    for lead in written["differences"]:
        low = 0.1 if lead["against"] == "raw coordinates" else -0.1
        lead.update(value=0.2, interval=[low, 0.3])
    change_scores(copy, differences=written["differences"])
    text = parsed(write_report(copy).path).text
    assert ("has collapsed" in text, "is alive" in text) == (collapsed, not collapsed)
    assert "+20.0 points against an untrained encoder (−10.0 to +30.0, so no difference" in text
    assert "+20.0 points against raw coordinates (+10.0 to +30.0)." in text


def test_scores_that_are_not_there_are_made(copy: Path) -> None:
    shutil.rmtree(copy / "probe")
    assert write_report(copy).notes == []
    assert (copy / "probe/scores.json").is_file()


def test_two_test_clips_without_signers_are_enough(tmp_path: Path) -> None:
    store = write_store(
        tmp_path / "a.h5",
        HAND,
        signs=2,
        signers=4,
        signer="",
        split=lambda sign, signer: "test" if signer == 0 else "train",
    )
    pretrain(TINY, [store], tmp_path / "run", progress=False)
    probe(tmp_path / "run", QUICK)
    page = parsed(write_report(tmp_path / "run").path)
    assert "Nobody knows who signs" in page.text
    assert "t-SNE, by sign" in page.text
    assert "by signer" not in re.sub(r"<svg.*?</svg>", "", page.whole).split("map-title")[1]


def test_a_store_without_labels_gives_a_page_without_scores(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", sign="", signer="")
    pretrain(TINY, [store], tmp_path / "run", progress=False)
    report = write_report(tmp_path / "run")
    assert len(report.notes) == 1
    page = parsed(report.path)
    assert "No scores: " in page.text
    assert "at least two signs" in page.text
    assert "not known of 18 clips" in page.text


def test_where_the_store_has_gone_the_page_says_so(copy: Path, run: Path, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.h5")
    store = json.loads((copy / "probe/scores.json").read_text())["store"]
    change_scores(copy, store={**store, "path": gone})
    report = write_report(copy)
    assert "gone.h5 is not there any more" in report.notes[0]
    page = parsed(report.path)
    assert page.text.count("gone.h5 is not there any more") == 3  # map, clips, quality
    assert page.tags["img"] == 0
    assert "Which signs are confused" in page.text
    moved = shutil.copy(run.parent / "a.h5", tmp_path / "moved.h5")
    assert write_report(copy, store=moved).notes == []


def test_a_store_that_has_grown_is_scored_once_and_shown(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5")
    pretrain(TINY, [store], tmp_path / "run", progress=False)
    write_store(store, signers=12)
    for given in (None, store):
        report = write_report(tmp_path / "run", store=given)
        assert report.notes == []
        assert "36 clips" in parsed(report.path).text
    rows = (tmp_path / "results.csv").read_text().splitlines()
    assert len(rows) == 2  # the head, and one score


def test_minimal_pairs_are_no_curve_of_labels(copy: Path) -> None:
    scores = json.loads((copy / "probe/scores.json").read_text())["scores"]
    pairs = [
        {**scores[0], "measure": "minimal pairs", "labels": name} for name in ("shape", "place")
    ]
    change_scores(copy, scores=[*scores, *pairs])
    page = write_report(copy).path.read_text()
    assert "minimal pairs: top-1 by the number" not in page
    assert "linear: top-1 by the number" in page.lower()


def test_two_thousand_signs_stay_readable_and_small(copy: Path) -> None:
    random, signs = np.random.default_rng(0), [f"sign number {i}" for i in range(2000)]
    lines = ["key,sign,signer,predicted_1,predicted_2"]
    for i in range(8000):
        near = random.choice(2000, 2)
        taken = signs[i // 4] if random.random() < 0.5 else signs[near[0]]
        lines.append(f"clip{i},{signs[i // 4]},,{taken},{signs[near[1]]}")
    (copy / "probe/predictions.csv").write_text("\n".join(lines) + "\n")
    change_scores(copy, clips_of_each_sign=dict.fromkeys(signs, 20))
    report = write_report(copy)
    assert report.size < 3_000_000
    page = parsed(report.path)
    assert "The 40 of 2,000 signs in the most confused pairs" in page.text
    assert "The worst 300 of 2,000 signs; the other 1,700, named rightly in" in page.text
    assert "Most confused pairs: 25 of" in page.text


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("probe/scores.json", "[]", "JSON object"),
        ("probe/scores.json", '{"scores": [{}]}', "damaged, or of another version"),
        ("probe/scores.json", "{", "expected JSON"),
        ("probe/predictions.csv", "key,sign\na,b\n", "expected the columns"),
        ("probe/predictions.csv", "key,sign,signer,predicted_1\na,b\n", "as many cells"),
        ("probe/predictions.csv", "key,sign,signer,predicted_1\na,b,c,\n", "names no sign"),
        ("log.jsonl", "", "holds no epoch"),
        ("log.jsonl", '{"epoch": 0}\n', "one line of JSON for each epoch"),
        ("log.jsonl", '{"epoch": 0, "spread": NaN, "rank": 1, "terms": {}}\n', "finite"),
        ("log.jsonl", "torn", "one line of JSON"),
    ],
)
def test_a_damaged_file_is_named(file: str, text: str, message: str, copy: Path) -> None:
    (copy / file).write_text(text)
    with pytest.raises(InputError, match=message) as error:
        write_report(copy)
    assert str(copy / file) in str(error.value)
    assert not (copy / "report.html").exists()


def test_a_score_that_is_no_number_is_refused(copy: Path) -> None:
    scores = json.loads((copy / "probe/scores.json").read_text())["scores"]
    scores[0]["values"]["top1"] = float("nan")
    change_scores(copy, scores=scores)
    with pytest.raises(InputError, match="expected a finite number"):
        read_scored(copy / "probe")


def test_predictions_may_be_missing(copy: Path) -> None:
    (copy / "probe/predictions.csv").unlink()
    assert "Which signs are confused" not in parsed(write_report(copy).path).text


def test_a_place_that_cannot_be_written_is_an_input_error(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ending in|the name of a page"):
        write_report(run, tmp_path / "page.txt")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(run, tmp_path / "file" / "page.html")


def test_the_command_writes_the_page_and_says_where(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "page.html"
    result = CliRunner().invoke(main, ["report", str(run), "--out", str(out), "--quiet"])
    assert result.exit_code == 0, result.output
    assert str(out) in result.output
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_what_is_no_markup_is_escaped_by_itself() -> None:
    assert tag("p", "<&>", tag("br"), title='"') == '<p title="&quot;">&lt;&amp;&gt;<br></p>'
    assert Html("<i>") + "<" == "<i>&lt;"
    assert name("a" * 100, 10) == f'<bdi title="{"a" * 100}">aaaaa…aaaa</bdi>'


def predicted(*rows: str) -> list[Prediction]:
    """Rows such as "a>b": a clip of sign a that was taken for b."""
    pairs = (row.split(">") for row in rows)
    return [Prediction(f"{i}", sign, "", (other,)) for i, (sign, other) in enumerate(pairs)]


def test_confusions_are_counted_as_by_hand() -> None:
    seen = predicted("a>a", "a>b", "a>b", "b>b", "c>a", "c>d")
    assert [(p.sign, p.taken_for, p.clips) for p in pairs(seen)] == [
        *(("a", "b", 2), ("c", "a", 1), ("c", "d", 1)),
    ]
    rows = by_sign(seen)
    assert [(of.sign, of.asked, of.right, of.taken_for, of.wrongly_named) for of in rows] == [
        ("c", 2, 0, ("a", 1), 0),
        ("a", 3, 1, ("b", 2), 1),
        ("b", 1, 1, ("", 0), 2),
    ]
    whole = matrix(seen, 10)
    assert whole.signs == ["a", "b", "c", "d"]
    assert whole.counts.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]]
    some = matrix(seen, 2)  # the most confused pair
    assert some.signs == ["a", "b"]
    assert some.counts.tolist() == [[1, 2], [0, 1]]
    assert some.asked.tolist() == [3, 1]
    assert some.left_out == 2


def test_nearest_clips_are_of_other_signers_and_never_of_test(run: Path) -> None:
    embeddings = collect(run).embeddings
    data = embeddings.dataset
    right, wrong = lookups(embeddings, each=3, neighbours=4)
    assert right or wrong
    for found in right + wrong:
        assert embeddings.test[found.query]
        assert embeddings.known[list(found.nearest)].all()
        assert data.signers[found.query] not in data.signers[list(found.nearest)]
        assert list(found.cosines) == sorted(found.cosines, reverse=True)
        hit = data.signs[found.nearest[0]] == data.signs[found.query]
        assert hit == (found in right)


def test_a_mistake_stands_beside_a_clip_of_the_sign_it_was_taken_for(run: Path) -> None:
    embeddings = collect(run).embeddings
    data, asked = embeddings.dataset, np.flatnonzero(embeddings.test)
    (query, *_) = (i for i in asked if data.signs[i] == "sign0")
    said = [
        Prediction(str(data.keys[query]), "sign0", "", ("sign2",)),
        Prediction("gone.mp4", "sign1", "", ("sign2",)),
    ]
    (found,) = mistakes(embeddings, said, most=5)
    assert found.query == query
    assert data.signs[found.beside] == "sign2"
    assert embeddings.known[found.beside]


CHROMIUM = shutil.which("chromium")


def browse(page: Path, folder: Path, *how: str) -> str:
    """What Chromium prints when it opens a page."""
    quiet = ("--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars")
    still = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    command = [CHROMIUM, "--headless", "--no-sandbox", *quiet, *still]
    command += [f"--user-data-dir={folder / 'profile'}", *how, page.resolve().as_uri()]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=True)
    return done.stdout.decode()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_draws_the_page_light_and_dark(run: Path, page: Page, tmp_path: Path) -> None:
    written = run.parent / "page.html"
    dom = browse(written, tmp_path, "--dump-dom")
    assert re.findall(r"<h2 [^>]*>(.*?)</h2>", dom) == re.findall(
        r"<h2 [^>]*>(.*?)</h2>", page.whole
    )
    grounds = []
    for scheme in (0, 1):  # dark, light
        shot = tmp_path / f"{scheme}.png"
        how = ("--window-size=1280,3000", f"--blink-settings=preferredColorScheme={scheme}")
        browse(written, tmp_path, f"--screenshot={shot}", *how)
        picture = cv2.imread(str(shot))
        assert picture.shape == (3000, 1280, 3)
        grounds.append(picture[2, 2].mean())
        for part in np.split(picture, 5):  # text or a chart wherever one looks
            assert (np.abs(part.astype(int) - picture[2, 2]).sum(axis=-1) > 60).mean() > 0.003
    assert grounds[0] < 60 < 200 < grounds[1]
