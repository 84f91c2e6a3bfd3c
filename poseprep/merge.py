"""Placeholder until the real one lands."""

from dataclasses import dataclass, field


@dataclass
class Merged:
    clips: int = 0
    frames: int = 0
    problems: int = 0
    duplicates: int = 0
    missing_shards: list[str] = field(default_factory=list)
