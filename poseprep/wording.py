"""Numbers and names as a person reads them. Nothing heavy is imported here."""

_NAMED = 5  # how many of many are named


def duration(seconds: float) -> str:
    """75 → `1 min 15 s`."""
    seconds = round(seconds)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def size(count: float) -> str:
    """1536000 → `1.5 MB`."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.{1 if units[0][0] in 'MGT' else 0}f} {units[0]}"


def printable(text: str, keep: str = "") -> str:
    """Text for a terminal: control characters and bytes that are no UTF-8 as escapes."""
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def some(names: list[str]) -> str:
    """The first few of many names."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(printable, names[:_NAMED])) + more


def show_nobody(clips: int) -> str:
    """3 → `3 clips show nobody`."""
    return f"{count(clips, 'clip')} show{'s' if clips == 1 else ''} nobody"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
