"""Keypoints → encoder → scores: self-supervised learning for sign language."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslmodel.embed import load_encoder

__all__ = ["load_encoder"]


def __getattr__(name: str) -> Any:
    # Torch loads when it is needed: settings are read without it.
    if name == "load_encoder":
        from sslmodel.embed import load_encoder

        return load_encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
