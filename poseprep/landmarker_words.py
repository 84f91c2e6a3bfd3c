"""A landmarker in words, from what it says of itself and what stores record of it."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

# An engine → where it runs, and its name.
_ENGINES = {"litert": "on the CPU (LiteRT{})", "torch": "on the GPU (torch{})"}


def landmarker_words(said: Mapping[str, Any], bundle: str = "") -> str:
    """Shortly: name, version, engine, a precision that is not float32, and what is switched on.

    Args:
        said: what the landmarker said, maybe years ago or through another program: nothing need
            be there.
        bundle: the file's name, where its networks came in one.
    """
    engine, settings = (_mapping(said.get(name)) for name in ("engine", "settings"))
    words = [
        _joined(said.get("name", "unknown"), said.get("version", "")),
        _joined(engine.get("engine", ""), engine.get("version", "")),
        _precision(engine),
        *(name.replace("_", " ") for name, value in settings.items() if value is True),
        bundle_words(said, bundle),
    ]
    return ", ".join(filter(None, words))


def bundle_words(said: Mapping[str, Any], bundle: str = "") -> str:
    """Which of its networks came in a bundle, such as "hand_landmarks of hand.task"; maybe none."""
    names = said.get("of_bundle")
    networks = ", ".join(map(str, names)) if isinstance(names, list) else "networks"
    return f"{networks} of {PurePath(bundle).name or 'a bundle'}" if names or bundle else ""


def place_words(said: Mapping[str, Any]) -> str:
    """Where its networks run, such as "on the GPU (torch, float16)"; empty where it is not said."""
    engine = _mapping(said.get("engine"))
    precision = _precision(engine)
    words = _ENGINES.get(str(engine.get("engine")), "")
    return words.format(f", {precision}" if precision else "")


def _joined(*words: Any) -> str:
    return " ".join(filter(None, map(str, words)))


def _precision(engine: Mapping[str, Any]) -> str:
    precision = str(engine.get("precision", "float32"))
    compiled = ", compiled" if engine.get("compiled") else ""
    return "" if precision == "float32" else precision + compiled


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
