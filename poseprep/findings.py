"""What is wrong, and with which clips: collected, and told in a few lines."""

_NAMED = 10  # how many clips of many are named
_LINES = 20


class Findings:
    """Sentences, each with the clips that it is true of, in the order found."""

    def __init__(self) -> None:
        self._clips: dict[str, dict[str, None]] = {}

    def add(self, sentence: str, *clips: str) -> None:
        """Note a sentence, true of these clips, or of the store as a whole."""
        self._clips.setdefault(sentence, {}).update(dict.fromkeys(clips))

    def join(self, other: "Findings") -> None:
        """Add all that another one holds."""
        for sentence, clips in other._clips.items():
            self.add(sentence, *clips)

    def lines(self) -> list[str]:
        """A line for each sentence, `_LINES` of them; of many clips the first few are named."""
        lines = [sentence + _named(list(clips)) for sentence, clips in self._clips.items()]
        return [*lines[:_LINES], *([f"and {len(lines) - _LINES} more"] if lines[_LINES:] else [])]


def _named(clips: list[str]) -> str:
    if not clips:
        return ""
    more = f" and {len(clips) - _NAMED:,} more" if len(clips) > _NAMED else ""
    count = "1 clip" if len(clips) == 1 else f"{len(clips):,} clips"
    return f"; {count}: {', '.join(clips[:_NAMED])}{more}"
