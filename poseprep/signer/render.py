"""Pictures of a figure: the still body once, then the arms and hands of every frame."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from poseprep.signer.figure import FACE, Figure, head_point
from poseprep.signer.hand import PALM, RADII
from poseprep.signer.person import Signer
from poseprep.signer.raster import Canvas, Mask, Scenery, Vector, View, develop

SKIN, SHADED_SKIN, LIPS, HAIR, CLOTH = range(5)
OVERSAMPLING = 1.5
NOISE = 0.008  # of full brightness, standard deviation: a camera's


def render(
    drawn: Figure, width: int, height: int, rng: np.random.Generator
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """The frames of a figure as RGB pictures; `rng` gives the camera's noise."""
    signer = drawn.signer
    view = signer.view(width, height).enlarged(OVERSAMPLING)
    canvas = Canvas(view, _palette(signer))
    scenery = _portrait(canvas, signer)
    # One large sheet of noise, cut out anew for every frame: fresh noise costs more than hands.
    margin = 64
    noise = rng.normal(0, 255 * NOISE, (height + margin, width + margin, 3)).astype(np.int16)
    for frame in range(len(drawn.hands)):
        canvas.start_over(scenery)
        for side in range(2):
            _paint_arm(canvas, drawn, frame, side)
            _paint_hand(canvas, drawn, frame, side)
        picture = cv2.resize(canvas.over(scenery), (width, height), interpolation=cv2.INTER_AREA)
        row, column = rng.integers(margin, size=2)
        grain = noise[row : row + height, column : column + width]
        yield cv2.add(picture, grain, dtype=cv2.CV_8U)


def _palette(signer: Signer) -> Float[np.ndarray, "5 3"]:
    skin, cloth = np.array(signer.skin), np.array(signer.cloth)
    lips, hair = skin * (1, 0.92, 0.92), np.array(signer.hair)
    return np.stack([skin, 0.9 * skin, lips, hair, cloth])


def _paint_arm(canvas: Canvas, drawn: Figure, frame: int, side: int) -> None:
    signer = drawn.signer
    shoulder, elbow = drawn.shoulder[side], drawn.elbow[frame, side]
    wrist = drawn.wrist[frame, side]
    fore = (wrist - elbow) / signer.forearm
    cuff = wrist - fore * 0.045
    canvas.capsule(shoulder, elbow, 0.052, 0.041, CLOTH)
    if signer.long_sleeves:
        canvas.capsule(elbow, cuff, 0.041, 0.031, CLOTH)
    else:
        canvas.capsule(elbow, cuff, 0.037, 0.025, SKIN)
    # The forearm's two bones, flat as the hand is.
    radial = drawn.axes[frame, side, 1]
    size = signer.hand
    for apart in (-0.007, 0.007):
        canvas.capsule(
            wrist - fore * 0.09 * size + radial * apart * size,
            wrist + (0.01, 1.6 * apart, 0) @ drawn.axes[frame, side] * size,
            0.020 * size,
            0.0155 * size,
            SKIN,
        )


def _paint_hand(canvas: Canvas, drawn: Figure, frame: int, side: int) -> None:
    size = drawn.signer.hand
    joints, axes = drawn.hands[frame, side], drawn.axes[frame, side]
    for start, end, start_radius, end_radius in PALM:
        canvas.capsule(
            joints[0] + start @ axes * size,
            joints[0] + end @ axes * size,
            start_radius * size,
            end_radius * size,
            SKIN,
        )
    for finger, radii in enumerate(RADII * size):
        for bone in range(3):
            joint = 1 + 4 * finger + bone
            canvas.capsule(joints[joint], joints[joint + 1], radii[bone], radii[bone + 1], SKIN)


def _portrait(canvas: Canvas, signer: Signer) -> Scenery:
    """Trunk and head before the background, with a painted face."""
    view = canvas.view
    _paint_trunk(canvas, signer)
    _paint_head(canvas, signer)
    across = (np.arange(view.width) + 0.5) / view.width - 0.5
    down = (np.arange(view.height) + 0.5) / view.height
    falloff = 1.06 - 0.25 * down[:, None] - 0.15 * across[None, :] ** 2
    light = canvas.light(falloff[..., None] * signer.background)
    _Brush(light, view, signer).face()
    return Scenery(canvas.depth.copy(), develop(light))


def _paint_trunk(canvas: Canvas, signer: Signer) -> None:
    place = np.array
    shoulder = signer.shoulder
    canvas.capsule(
        place((0.0, -0.13, -0.045)), place((0.0, -0.02, -0.035)), 0.050, 0.056, SHADED_SKIN
    )
    for side in (-1, 1):
        canvas.capsule(
            place((side * 0.05, -0.045, -0.04)),
            place((side * shoulder, 0.012, -0.03)),
            0.040,
            0.052,
            CLOTH,
        )
    canvas.ellipsoid(
        place((0.0, 0.42, -0.03)), place((shoulder - 0.008, 0.48, 0.105)), CLOTH, roundness=4
    )


def _paint_head(canvas: Canvas, signer: Signer) -> None:
    size = signer.head

    def at(out: float, down: float, front: float) -> Vector:
        return head_point((out, down, front), signer)

    def ball(
        centre: Vector, radii: tuple[float, float, float], paint: int, keep: Mask | None = None
    ) -> None:
        canvas.ellipsoid(centre, np.array(radii) * size, paint, keep)

    ear_out, ear_down, _ = FACE["ear"]
    for side in (-1, 1):
        ball(at(side * ear_out, ear_down, -0.02), (0.012, 0.031, 0.02), SHADED_SKIN)
    ball(at(0.0, -0.255, 0.0), (0.074, 0.105, 0.088), SKIN)
    ball(at(0.0, -0.203, 0.003), (0.067, 0.084, 0.088), SKIN)
    canvas.capsule(
        at(0.0, -0.247, 0.078), at(0.0, -0.205, 0.098), 0.006 * size, 0.0105 * size, SKIN
    )
    ball(at(0.0, -0.201, 0.092), (0.017, 0.010, 0.014), LIPS)
    _, brow, _ = at(0.0, -0.190, 0.0)

    def frames_the_face(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x / (0.066 * size)) ** 2 + ((y - brow) / (0.115 * size)) ** 2 > 1

    ball(at(0.0, -0.280, -0.012), (0.087, 0.100, 0.105), HAIR, frames_the_face)
    if signer.long_hair:
        ball(at(0.0, -0.215, -0.06), (0.100, 0.150, 0.07), HAIR)


class _Brush:
    """Paints features on the light of a picture, sized in metres of a head of size 1."""

    def __init__(self, light: Float[np.ndarray, "H W 3"], view: View, signer: Signer) -> None:
        self._light, self._view, self._signer = light, view, signer

    def oval(
        self,
        place: tuple[float, float],
        radii: tuple[float, float],
        colour: Float[np.ndarray, "3"],
        arc: tuple[int, int] = (0, 360),
        stroke: float = 0.0,
    ) -> None:
        """A filled ellipse, or with a `stroke` (metres) the line along its `arc` (degrees)."""
        scale = self._view.scale * self._signer.head
        centre = self._view.pixels(head_point((*place, 0.0), self._signer))
        fraction_bits = 4  # OpenCV takes whole numbers of sixteenths of a pixel
        whole = [round(float(value) * 2**fraction_bits) for value in centre]
        axes = [round(radius * scale * 2**fraction_bits) for radius in radii]
        thickness = max(int(stroke * scale), 1) if stroke else -1
        cv2.ellipse(
            self._light,
            whole,
            axes,
            0,
            *arc,
            tuple(float(part) for part in colour),
            thickness,
            cv2.LINE_AA,
            fraction_bits,
        )

    def face(self) -> None:
        """Eyes, brows, nostrils and mouth: without them MediaPipe finds no face at all."""
        skin = np.array(self._signer.skin)
        white, iris, black = np.array((0.62, 0.60, 0.58)), np.array((0.12, 0.07, 0.04)), 0.01
        for side in (-1, 1):
            out, down, _ = FACE["eye"]
            eye = (side * out, down)
            self.oval(eye, (0.017, 0.0105), 0.72 * skin)
            self.oval(eye, (0.0135, 0.0062), white)
            self.oval(eye, (0.0058, 0.0058), iris)
            self.oval(eye, (0.0026, 0.0026), np.full(3, black))
            self.oval((eye[0] - 0.002, down - 0.0025), (0.0014, 0.0014), np.ones(3))
            self.oval((eye[0], down + 0.001), (0.014, 0.0078), 0.15 * skin, (185, 355), 0.0022)
            brow = (side * 0.033, down - 0.015)
            self.oval(brow, (0.021, 0.011), 0.18 * skin, (200, 340), 0.0044)
            self.oval((side * 0.0075, -0.1915), (0.0036, 0.0022), 0.2 * skin)
        _, mouth, _ = FACE["mouth"]
        self.oval((0.0, mouth + 0.002), (0.0245, 0.0072), skin * (0.72, 0.42, 0.44))
        self.oval((0.0, mouth - 0.003), (0.024, 0.0055), 0.25 * skin, (15, 165), 0.0022)
