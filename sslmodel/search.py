"""A dictionary of signs: which clips of a store look most like this one?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.extract import extract_video
from poseprep.same_way import SameWay, same_way
from poseprep.settings import ExtractOptions, ExtractSettings
from poseprep.store import KeypointStore
from sslmodel.checkpoint import read_encoder
from sslmodel.dataset import Dataset, load
from sslmodel.device import fabric_on
from sslmodel.embed import ClipEncoder
from sslmodel.features import encode
from sslmodel.linear import standardised
from sslmodel.neighbours import unit
from sslmodel.plots import plot_strips


@dataclass(frozen=True)
class Match:
    """A sign, by its clip that is nearest to the query; similarity is a cosine, at most 1."""

    sign: str
    similarity: float
    key: str
    signer: str


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found. query: the clip that was looked up; notes: what to tell."""

    query: Clip
    matches: list[Match]
    notes: list[str]


def search(
    run: Path,
    store: Path,
    clip: str,
    count: int = 10,
    other_signers: bool = False,
    model: Path | None = None,
) -> Found:
    """The signs whose clips are nearest to a clip of the store, or to a video file.

    A sign is ranked by its nearest clip; clips without a sign stand for themselves. The query
    itself, copies of it and clips that show nobody are no matches. A video is extracted as the
    store was.

    Args:
        clip: a key of the store, else the path of a video file.
        other_signers: leave out the clips of the query's own signer.
        model: where the bundle lies whose networks the store was made with, if it was one and a
            video is looked up.

    Raises:
        InputError: no such run, store, clip, video or bundle, a query that shows nobody, or
            nothing to compare with.
    """
    encoder, settings = read_encoder(run)
    dataset = load(store, encoder.skeleton, settings)
    features = encode(encoder, dataset, fabric_on("auto").device)
    notes = dataset.remarks
    with KeypointStore(store) as opened:
        if clip in opened.keys or not Path(clip).is_file():
            query = opened.clip(clip)  # tells near keys where there is none
            if model:
                raise InputError(
                    f"--model: expected with a video, found with a clip of {store}, which needs no "
                    "extraction; leave --model out"
                )
            row = opened.keys.index(clip)
            asked = features[row]
            same = (dataset.digests == dataset.digests[row]) | (dataset.keys == clip)
        else:
            way = _way_of(opened, str(model or ""))
            notes += way.notes
            query = extract_video(Path(clip), way.settings, way.options)
            asked = ClipEncoder(encoder, settings)(query)
            same = (opened.columns["sha256"] == query.sha256) & (query.sha256 != "")
    if not query.source.any():
        raise InputError(f"{clip}: shows nobody, so that nothing is like it; look up another clip")
    scaled = standardised(
        np.vstack([features, asked]), np.arange(len(features) + 1) < len(features)
    )
    similarity = unit(scaled[:-1]) @ unit(scaled[-1:])[0]
    similarity[same.astype(bool) | ~dataset.person] = -np.inf
    if other_signers and query.signer:
        similarity[dataset.signers == query.signer] = -np.inf
    elif other_signers:
        notes.append("who signs the clip that is searched is not known: nobody was left out")
    matches = _ranked(dataset, similarity, count)
    if not matches:
        raise InputError(f"{store}: no other clip to compare {clip!r} with")
    return Found(query, matches, notes)


def _ranked(dataset: Dataset, similarity: Float[np.ndarray, " N"], count: int) -> list[Match]:
    best: dict[str, Match] = {}
    for row in np.argsort(-similarity, kind="stable"):
        if similarity[row] == -np.inf or len(best) == count:
            break
        sign, key = dataset.signs[row], dataset.keys[row]
        match = Match(sign, float(similarity[row]), key, dataset.signers[row])
        best.setdefault(f"sign {sign}" if sign else f"clip {key}", match)
    return list(best.values())


def _way_of(store: KeypointStore, model: str) -> SameWay:
    """How the store's clips were extracted; the defaults, and a note, where they were not."""
    if "landmarker" in store.settings:
        return same_way(store.settings, store.landmarker, model)
    made_by = store.landmarker.get("name", "unknown")
    note = (
        f"{store.path} was not extracted from videos (landmarker {made_by}), so that this video's "
        "points, extracted with the default settings, may differ in kind"
    )
    return SameWay(ExtractSettings(), ExtractOptions(), [note])


def draw_matches(found: Found, store: Path, out: Path, frames: int = 10) -> None:
    """A picture: the query's skeleton on top, below it each match's, a strip of frames each."""
    with KeypointStore(store) as opened:
        clips: Sequence[Clip] = [opened.clip(match.key) for match in found.matches]
    titles = [
        f"searched: {found.query.key}" + (f" ({found.query.sign})" if found.query.sign else "")
    ]
    titles += [f"{m.similarity:.2f}  {m.sign or 'no sign'}   {m.key}" for m in found.matches]
    plot_strips([found.query, *clips], titles, out, frames)
