"""What a run came to in a few sentences, and what was trained on what."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from poseprep.landmarker_words import landmarker_words
from poseprep.wording import count, duration
from sslmodel.probe import RAW, UNTRAINED
from sslmodel.report.collect import Facts
from sslmodel.report.html import Html, bullets, details, facts, join, name, section, signed, tag
from sslmodel.report.scored import Scored
from sslmodel.scores import Difference
from sslmodel.split import PARTS


def verdict(known: Facts) -> Html:
    """Is the embedding alive, how good is it, and what did pretraining buy?"""
    last = known.records[-1]
    alive = f"feature spread {last.spread:.2f}, effective rank {last.rank:.1f}"
    if known.collapsed:
        first = f"The embedding has collapsed ({alive}): all clips look nearly the same to it."
    else:
        first = f"The embedding is alive ({alive})."
    classes = "verdict collapsed" if known.collapsed else "verdict"
    return tag("p", tag("strong", first), " ", join(_scores(known.scored)), class_=classes)


def _scores(scored: Scored | None) -> Iterator[str]:
    best = scored.most_labels("linear") if scored else None
    if scored is None or best is None:
        yield "There are no scores that say how good it is."
        return
    low, high = best.intervals["top1"]
    yield (
        f"From {best.labels} of the labels, linear evaluation names "
        f"{100 * best.values['top1']:.1f} % of the test clips ({100 * low:.1f} to "
        f"{100 * high:.1f}): "
    )
    leads = [scored.lead("linear", best.labels, against) for against in (UNTRAINED, RAW)]
    said = [_lead(lead) for lead in leads if lead]
    yield "; ".join(said) + "." if said else "no baseline was measured beside it."


def _lead(lead: Difference) -> str:
    against = {UNTRAINED: "an untrained encoder"}.get(lead.against, lead.against)
    low, high = (100 * end for end in lead.interval)
    points = f"{signed(100 * lead.value)} points against {against} "
    points += f"({signed(low)} to {signed(high)}"
    return points + (", so no difference is shown)" if low <= 0 <= high else ")")


def trained_on(known: Facts) -> Html:
    """What was trained on what: stores, clips, split, settings."""
    run, store = known.run, known.store
    rows: list[tuple[str, Any]] = [
        ("Objective", f"{run.config.objective}, without labels"),
        ("Learned from", _learned_from(known)),
        ("Encoder", f"embeddings of {run.config.encoder.features} dimensions"),
        ("Epochs", str(known.records[-1].epoch)),
        ("Seed", f"{run.config.seed}; of the split {run.config.split_seed}"),
        ("Device", str(known.head.get("device", "not known"))),
    ]
    if store is not None:
        of = store.description
        signs, signers = len(of.signs.keys() - {""}), len(of.signers.keys() - {""})
        length = f", {duration(of.seconds)}" if of.seconds else "; how long they took is not known"
        rows += [
            ("In the store", f"{count(of.clips, 'clip')}, {count(of.frames, 'frame')}{length}"),
            ("Signs", _known(signs, of.signs)),
            ("Signers", _known(signers, of.signers)),
        ]
    rows += _splits(known)
    return section(
        "trained",
        "What was trained on what",
        facts(rows),
        _stores(known),
        details("All settings of the training", facts(_flat(asdict(run.config), ""))),
        details("Versions", facts((k, str(v)) for k, v in dict(known.head["versions"]).items())),
    )


def _learned_from(known: Facts) -> str:
    clips = known.about.get("clips")
    everything = ", test included (transductive)" if known.run.config.all_clips else ""
    return f"{clips:,} clips with a person{everything}" if isinstance(clips, int) else ""


def _known(many: int, names: Mapping[str, int]) -> str:
    unknown = f"not known of {count(names[''], 'clip')}" if names.get("") else ""
    return "; ".join(filter(None, (f"{many:,}" if many else "", unknown))) or "none"


def _splits(known: Facts) -> Iterator[tuple[str, Any]]:
    sizes: Counter[str] = Counter()
    for entry in known.run.splits.values():
        sizes.update(entry["parts"].values())
    said = [f"{part} {sizes[part]:,}" for part in PARTS] + (
        [f"in no part {sizes['']:,}"] if sizes[""] else []
    )
    hows = dict.fromkeys(entry["how"] for entry in known.run.splits.values())
    yield "Clips of the split", ", ".join(said)
    yield "Split", "; ".join(hows)


def _stores(known: Facts) -> Html:
    items = []
    for store in known.head["stores"]:
        made_by = landmarker_words(store.get("landmarker") or {})
        clips = len(known.run.splits[store["sha256"]]["parts"])
        items.append(
            tag("strong", name(str(store["path"]), 90))
            + tag("small", f" {count(clips, 'clip')}; landmarker {made_by}")
            + tag("br")
            + tag("code", str(store["sha256"]))
        )
    return tag("h3", "Stores, and the SHA-256 of what they hold") + bullets(items)


def _flat(config: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", str(value)
