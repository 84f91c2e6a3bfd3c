"""Paint rounded solids into a picture with depth.

Two solids are enough for a person: the tapered capsule (two balls and the cone that touches
both) and the ellipsoid. Each is solved exactly for every pixel of its own box; the nearest
surface wins. Surfaces are shaded by their normal alone: MediaPipe needs the relief that light
gives to find a hand, while cast shadows and ambient occlusion mislead it.

World: metres, x to the right of the picture, y down, z towards the viewer. The camera is
orthographic, so a joint's true place in the picture does not depend on its depth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Vector = Float[np.ndarray, "3"]
Plane = Float[np.ndarray, "H W"]
Mask = Callable[[Plane, Plane], Bool[np.ndarray, "H W"]]

_KEY_LIGHT = np.array((-0.45, -0.65, 0.75)) / np.linalg.norm((-0.45, -0.65, 0.75))
_FILL_LIGHT = np.array((0.8, -0.1, 0.6)) / np.linalg.norm((0.8, -0.1, 0.6))
_KEY_COLOUR = np.array((1.05, 0.98, 0.90), np.float32)  # a warm lamp
_GAMMA = 1.9


@dataclass(frozen=True)
class View:
    """What the orthographic camera sees: a picture `width` x `height` pixels large.

    `scale` is pixels a metre, `left` and `top` the world place (metres) of the picture's corner.
    """

    width: int
    height: int
    scale: float
    left: float
    top: float

    def pixels(self, world: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 2"]:
        """World places (metres) as (column, row); (0, 0) is the picture's upper left corner."""
        return (world[..., :2] - (self.left, self.top)) * self.scale

    def enlarged(self, factor: float) -> View:
        """The same section of the world in `factor` times as many pixels."""
        width, height = round(self.width * factor), round(self.height * factor)
        return View(width, height, self.scale * factor, self.left, self.top)


def shade(
    normals: Float[np.ndarray, "N 3"], colours: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N 3"]:
    """Lambert's law under a key light, a fill light and a sky: light reflected, per surface."""
    key = np.clip((normals @ _KEY_LIGHT.astype(np.float32) + 0.2) / 1.2, 0, 1)
    fill = np.clip(normals @ _FILL_LIGHT.astype(np.float32), 0, 1)
    sky = (0.62 - 0.38 * normals[:, 1]) * (0.55 + 0.45 * normals[:, 2])
    light = key[:, None] * _KEY_COLOUR
    light += (0.20 * fill + 0.34 * sky)[:, None]
    light *= colours
    return light


def develop(light: Float[np.ndarray, "*any 3"]) -> UInt8[np.ndarray, "*any 3"]:
    """Light as a camera stores it: highlights rolled off, gamma applied, 0..255."""
    exposed = np.clip(light / (1 + 0.12 * light), 0, 1)
    return (exposed ** np.float32(1 / _GAMMA) * 255 + 0.5).astype(np.uint8)


class Canvas:
    """Depth, surface normal and paint of every pixel of a view.

    `palette` (P, 3) lists the colours by which solids are painted, as reflectances 0..1 in the
    order red, green, blue.
    """

    def __init__(self, view: View, palette: Float[np.ndarray, "P 3"]) -> None:
        self.view = view
        self.palette = palette.astype(np.float32)
        self._x = view.left + (np.arange(view.width, dtype=np.float32) + 0.5) / view.scale
        self._y = view.top + (np.arange(view.height, dtype=np.float32) + 0.5) / view.scale
        self._shape = (view.height, view.width)
        self.depth: Plane = np.full(self._shape, -np.inf, np.float32)
        self._normals = [np.zeros(self._shape, np.float32) for _ in range(3)]
        self._paint: Int[np.ndarray, "H W"] = np.zeros(self._shape, np.uint8)

    def capsule(
        self, start: Vector, end: Vector, start_radius: float, end_radius: float, paint: int
    ) -> None:
        """Paint the hull of two balls: a limb, a finger bone, a fold of the palm.

        A pixel of the front surface belongs to one ball on the axis, `t` metres from `start`.
        With the axis inclined by `slope` towards the viewer and the radius growing by `taper`
        a metre, depth along the axis is `slope t + sqrt(quadratic(t))`; its maximum has a closed
        form.
        """
        sx, sy, sz = (float(value) for value in start)
        dx, dy, dz = (float(value) for value in end - start)
        length = max((dx * dx + dy * dy + dz * dz) ** 0.5, 1e-6)
        dx, dy, slope = dx / length, dy / length, dz / length
        taper = (end_radius - start_radius) / length
        box, x, y = self._box(start, end, max(start_radius, end_radius))
        if x.size == 0 or y.size == 0:
            return
        x, y = x - sx, y - sy
        along = (x * dx)[None, :] + (y * dy)[:, None]
        across2 = (x * x)[None, :] + (y * y)[:, None]

        # A capsule seen end-on shows only its nearer ball: keep the cone's equation solvable.
        lean = max(dx * dx + dy * dy - taper * taper, 1e-4)
        middle = (along + taper * start_radius) / lean
        room = np.maximum(middle * middle * lean + (start_radius**2 - across2), 0)
        rise = slope / (lean * (lean + slope * slope)) ** 0.5
        t = np.clip(middle + rise * np.sqrt(room), 0, length)
        radius = start_radius + taper * t
        planar2 = dx * dx + dy * dy
        height2 = radius * radius - across2 + t * (2 * along - t * planar2)
        height = np.sqrt(np.maximum(height2, 0))
        depth = sz + slope * t + height
        seen = (height2 > 0) & (depth > self.depth[box])
        # Where a ball touches the hull both have the same normal: away from the ball's centre.
        normals = (x[None, :] - t * dx) / radius, (y[:, None] - t * dy) / radius, height / radius
        self._put(box, seen, depth, normals, paint)

    def ellipsoid(
        self,
        centre: Vector,
        radii: Vector,
        paint: int,
        keep: Mask | None = None,
        roundness: int = 2,
    ) -> None:
        """Paint an ellipsoid with upright axes; `keep(x, y)` (metres) cuts a part of it out.

        `roundness` is the exponent of the vertical axis: 2 is an ellipsoid, more is a barrel.
        """
        box, x, y = self._box(centre, centre, float(max(radii[0], radii[1])))
        a, b = (axis.astype(np.float32) for axis in np.meshgrid(x - centre[0], y - centre[1]))
        a, b = a / radii[0], b / radii[1]
        height2 = 1 - a * a - b**roundness
        height = np.sqrt(np.maximum(height2, 1e-6))
        steepness = roundness / 2 * b ** (roundness - 1)
        normal = np.stack([a / radii[0], steepness / radii[1], height / radii[2]])
        normal /= np.linalg.norm(normal, axis=0)
        depth = centre[2] + radii[2] * height
        seen = (height2 > 0) & (depth > self.depth[box])
        if keep is not None:
            seen &= keep(*np.meshgrid(x, y))
        self._put(box, seen, depth, tuple(normal), paint)

    def light(self, background: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
        """The light that reaches the camera: the solids, and behind them the background."""
        picture = background.astype(np.float32, copy=True)
        solid = np.isfinite(self.depth)
        picture[solid] = self._shaded(solid)
        return picture

    def over(self, scenery: Scenery) -> UInt8[np.ndarray, "H W 3"]:
        """The developed picture of what was painted since `start_over(scenery)`."""
        picture = scenery.picture.copy()
        new = self.depth > scenery.depth
        picture[new] = develop(self._shaded(new))
        return picture

    def start_over(self, scenery: Scenery) -> None:
        """Forget every solid but the scenery's."""
        np.copyto(self.depth, scenery.depth)

    def _shaded(self, where: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "N 3"]:
        normals = np.stack([plane[where] for plane in self._normals], axis=1)
        return shade(normals, self.palette[self._paint[where]])

    def _box(
        self, start: Vector, end: Vector, radius: float
    ) -> tuple[tuple[slice, slice], Float[np.ndarray, "w"], Float[np.ndarray, "h"]]:
        """The pixels that a solid can reach, and their world coordinates."""
        edges = []
        for axis, (origin, size) in enumerate(
            ((self.view.left, self.view.width), (self.view.top, self.view.height))
        ):
            low = (min(start[axis], end[axis]) - radius - origin) * self.view.scale
            high = (max(start[axis], end[axis]) + radius - origin) * self.view.scale
            edges.append(slice(max(int(low) - 1, 0), min(max(int(high) + 2, 0), size)))
        columns, rows = edges
        return (rows, columns), self._x[columns], self._y[rows]

    def _put(
        self,
        box: tuple[slice, slice],
        seen: Bool[np.ndarray, "h w"],
        depth: Plane,
        normals: tuple[Plane, ...],
        paint: int,
    ) -> None:
        np.copyto(self.depth[box], depth, where=seen)
        for plane, values in zip(self._normals, normals, strict=True):
            np.copyto(plane[box], values, where=seen)
        self._paint[box][seen] = paint


@dataclass(frozen=True)
class Scenery:
    """The part of the picture that stays the same through a clip, painted once."""

    depth: Float[np.ndarray, "H W"]
    picture: UInt8[np.ndarray, "H W 3"]
