"""Clips as small moving skeletons: still until somebody points at one."""

from pathlib import Path

from poseprep.sprite import make_sprite
from poseprep.store import KeypointStore
from sslmodel.report.collect import Embeddings
from sslmodel.report.html import Html, figure, join, name, paragraph, png_uri, tag
from sslmodel.report.nearest import Lookup, Mistake

# A clip is played at its own speed, but neither too quickly to be followed nor for too long.
_SHORTEST, _LONGEST = 0.8, 6.0


class Clips:
    """Draws clips of one store, each of them once: a `with` block over the open store."""

    def __init__(self, store: Path, embeddings: Embeddings):
        self._store, self._data = KeypointStore(store), embeddings.dataset

    def __enter__(self) -> "Clips":
        return self

    def __exit__(self, *exc: object) -> None:
        self._store.close()

    def picture(self, place: int, caption: Html, **attributes: str) -> Html:
        """One clip by its place in the dataset, with what it shows below."""
        key = str(self._data.keys[place])
        sprite = make_sprite(self._store.clip(key))
        seconds = min(max(sprite.seconds, _SHORTEST), _LONGEST)
        image = tag(
            "img",
            src=png_uri(sprite.png),
            alt=f"Skeleton of {self._what(place)}, {sprite.seconds:.1f} s",
            class_="clip",
            width=sprite.size,
            height=sprite.size,
            tabindex="0",
            style=f"--seconds:{seconds:.2f}s",
        )
        return figure(image, caption, title=key, **attributes)

    def caption(self, place: int, mark: str = "", more: str = "") -> Html:
        """A clip's sign and signer, a mark before it, and a remark after it."""
        signer = str(self._data.signers[place])
        remarks = [name(signer, 24) if signer else None, more or None]
        sign = tag("strong", f"{mark} " if mark else "", name(str(self._data.signs[place]), 30))
        return sign + tag("small", join(filter(None, remarks), ", "))

    def _what(self, place: int) -> str:
        sign, signer = str(self._data.signs[place]), str(self._data.signers[place])
        return f"“{sign}”" + (f" by {signer}" if signer else "")

    def lookup(self, found: Lookup) -> Html:
        """A query, and its nearest clips beside it."""
        signs = self._data.signs
        pictures = [self.picture(found.query, self.caption(found.query, "?"))]
        for place, cosine in zip(found.nearest, found.cosines, strict=True):
            same = signs[place] == signs[found.query]
            caption = self.caption(place, "✓" if same else "✗", f"{cosine:.2f}")
            pictures.append(self.picture(place, caption, class_="same" if same else "other"))
        return tag("div", *pictures, class_="clips")

    def mistake(self, found: Mistake) -> Html:
        """A clip that was named wrongly, and one of the sign that it was taken for."""
        signs = self._data.signs
        times = f"{found.clips} test clip{'' if found.clips == 1 else 's'}"
        said = paragraph(
            name(str(signs[found.query]), 30),
            " taken for ",
            name(str(signs[found.beside]), 30),
            tag("small", f" {times}"),
        )
        pictures = [
            self.picture(found.query, self.caption(found.query, "", "test")),
            self.picture(found.beside, self.caption(found.beside, "", "labelled")),
        ]
        return tag("div", said, tag("div", *pictures, class_="clips"), class_="pair")
