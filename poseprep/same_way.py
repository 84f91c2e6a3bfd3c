"""How one more video is extracted in the way that a store's were, to be compared with them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from poseprep.errors import InputError
from poseprep.landmarker_words import place_words
from poseprep.measure import make_landmarker
from poseprep.options import from_dict
from poseprep.settings import LANDMARKER_READS, ExtractOptions, ExtractSettings


class SameWay(NamedTuple):
    """The settings and options for it, and notes on how its points may differ all the same."""

    settings: ExtractSettings
    options: ExtractOptions
    notes: list[str]


def same_way(
    settings: Mapping[str, Any], landmarker: Mapping[str, Any], model: str = ""
) -> SameWay:
    """As the store's, as far as this machine can.

    Args:
        settings, landmarker: what the store records.
        model: where the bundle of networks lies, if the store's came in one: of that, a store
            records only the name.

    Raises:
        InputError: a bundle is needed and not given, or none is needed, or it is another one.
    """
    name, bundle = settings["landmarker"], settings.get("model", "")
    if model and "model" not in LANDMARKER_READS.get(name, ()):
        raise InputError(
            f"--model: expected with a store of networks in a bundle only, found with one of {name}"
            "; leave --model out"
        )
    if bundle and not model:
        raise InputError(
            f"the store's networks came in a bundle, {bundle}; say with --model where it lies"
        )
    wanted = from_dict(ExtractSettings, {**settings, "model": model} if model else settings)
    if "engine" not in landmarker:
        return SameWay(wanted, ExtractOptions(), [])
    there = landmarker["engine"]
    options = ExtractOptions(device="cpu" if there["engine"] == "litert" else "auto")
    # What there is here: only a GPU can do with less precision.
    single = replace(wanted, precision=ExtractSettings.precision)
    here = make_landmarker(single, options).describe()
    if model and here["models"] != landmarker["models"]:
        raise InputError(
            f"{model}: expected the networks of {bundle or 'the installed MediaPipe'}, which the "
            "store was made with, found others; "
            + ("give that bundle" if bundle else "leave --model out")
        )
    if here["engine"]["engine"] == there["engine"]:
        if not there.get("compiled"):
            return SameWay(wanted, options, [])
        # Compiling takes minutes, for one video.
        single, here = wanted, {"engine": {**there, "compiled": False}}
    note = (
        f"the store's points were found {place_words(landmarker)}, this video's "
        f"{place_words(here)}: they may differ a little"
    )
    return SameWay(single, options, [note])
