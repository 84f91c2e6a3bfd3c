"""Views: augmented copies of a batch of clips, made on the device the batch is on.

Every function takes points (B, T, V, C) and seen (B, T, V; 1 where a point is known, else 0)
and a generator on their device (torch's, or `ClipChance`), and returns both anew. Each clip of a
batch draws its own random numbers, and what is drawn for a clip holds for all its frames and
points unless the name says otherwise. C is 2 (x, y) or 3; turns happen in the picture's plane, but
for `tilt_hands`.
Lengths are in units of `poseprep.normalize`: 1.0 is one shoulder width.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sslmodel.chance import ClipChance
from sslmodel.config import ViewConfig

Points = Float[Tensor, "B T V C"]
Seen = Float[Tensor, "B T V"]
View = tuple[Points, Seen]
Generator = torch.Generator | ClipChance


def augment(
    points: Float[Tensor, "B T V C"],
    seen: Float[Tensor, "B T V"],
    config: ViewConfig,
    parts: Mapping[str, slice],
    mirror: Int[Tensor, " V"],
    generator: Generator,
) -> tuple[Float[Tensor, "B T V 2"], Seen]:
    """One view: time first, then hands, then the whole figure, then what gets lost."""
    g = generator
    points, seen = warp_time(points, seen, g, crop=config.crop, speed=config.speed)
    points, seen = permute_ends(points, seen, g, share=config.permute_ends)
    points, seen = move_hands(
        points,
        seen,
        g,
        parts,
        degrees=config.hand_turn_degrees,
        scale=config.hand_scale,
        shift=config.hand_shift,
    )
    points, seen = tilt_hands(points, seen, g, parts, degrees=config.hand_tilt_degrees)
    points = points[..., :2]  # depth has done its work: encoders read x and y
    points, seen = mirror_clips(points, seen, g, mirror, share=config.mirror)
    points, seen = shear(points, seen, g, strength=config.shear)
    points, seen = rotate(points, seen, g, degrees=config.rotation_degrees)
    points, seen = resize(points, seen, g, strength=config.scale)
    points, seen = shift(points, seen, g, deviation=config.shift)
    points, seen = jitter(points, seen, g, deviation=config.jitter)
    points, seen = drop_points(points, seen, g, share=config.drop_points)
    points, seen = drop_hands(points, seen, g, parts, chance=config.drop_hands)
    return points * seen[..., None], seen


def make_views(
    points: Float[Tensor, "B T V C"],
    seen: Float[Tensor, "B T V"],
    config: ViewConfig,
    parts: Mapping[str, slice],
    mirror: Int[Tensor, " V"],
    chances: Sequence[Generator],
    original: bool,
) -> list[tuple[Float[Tensor, "B T V 2"], Seen]]:
    """A batch's branches: a view for each of `chances`, before them the clips as they are.

    Args:
        original: whether the clips as they are are a branch.
    """
    views = [augment(points, seen, config, parts, mirror, chance) for chance in chances]
    return [(points[..., :2], seen), *views] if original else views


def permute_ends(points: Points, seen: Seen, generator: Generator, *, share: float = 1.0) -> View:
    """Shuffle the frames of the first third and of the last quarter; leave the middle.

    The middle of a sign carries its meaning, its ends are transition. T // 3 frames at the
    start and T // 4 at the end; each clip its own permutation, the same for all points.
    Source: Basso Madjoukeng et al., arXiv 2509.05188, the paper's augmentation.
    """
    batch, frames = seen.shape[:2]
    head, tail = frames // 3, frames // 4
    order = torch.arange(frames, device=points.device).expand(batch, frames).clone()
    shuffled = order.clone()
    shuffled[:, :head] = _uniform(generator, batch, head).argsort(dim=1)
    shuffled[:, frames - tail :] = _uniform(generator, batch, tail).argsort(dim=1) + frames - tail
    chosen = _uniform(generator, batch, 1) < share
    return _take_frames(points, seen, torch.where(chosen, shuffled, order))


def warp_time(
    points: Points, seen: Seen, generator: Generator, *, crop: float, speed: float
) -> View:
    """Cut up to a share `crop` of the clip from its ends, and let time run unevenly.

    Frames are read at a + (b − a) · u^γ, with u even in 0..1 and γ in exp(±`speed`): the sign
    begins slower and ends faster or the other way round. Values between two frames are
    interpolated; a point is seen where it was in the nearer one.
    """
    batch, frames = seen.shape[:2]
    lost = crop * _uniform(generator, batch, 1)
    start = lost * _uniform(generator, batch, 1)
    gamma = torch.exp(speed * _signed(generator, batch, 1))
    even = torch.linspace(0, 1, frames, device=points.device)[None]
    at = (start + (1 - lost) * even**gamma) * (frames - 1)
    low = at.floor().long().clamp(max=frames - 1)
    high = (low + 1).clamp(max=frames - 1)
    weight = (at - low)[:, :, None]
    low_points, low_seen = _take_frames(points, seen, low)
    high_points, high_seen = _take_frames(points, seen, high)
    # Weighted by seen, so that a missing neighbour does not pull towards the origin.
    low_part, high_part = (1 - weight) * low_seen, weight * high_seen
    total = (low_part + high_part).clamp(min=1e-6)[..., None]
    mixed = (low_points * low_part[..., None] + high_points * high_part[..., None]) / total
    known = torch.where(weight < 0.5, low_seen, high_seen)
    return mixed * known[..., None], known


def rotate(points: Points, seen: Seen, generator: Generator, *, degrees: float) -> View:
    """Turn the figure about the middle of the shoulders by up to `degrees` either way."""
    angle = math.radians(degrees) * _signed(generator, len(points))
    return _linear(points, _rotation(angle)), seen


def resize(points: Points, seen: Seen, generator: Generator, *, strength: float) -> View:
    """Scale by a factor in (1 + strength)^±1: as likely larger as smaller."""
    factor = torch.exp(math.log1p(strength) * _signed(generator, len(points), 1, 1, 1))
    return points * factor, seen


def shear(points: Points, seen: Seen, generator: Generator, *, strength: float) -> View:
    """Shear x along y and y along x, and stretch one against the other, each up to `strength`.

    A camera that stands not quite in front of the signer, and signers of other proportions.
    """
    across, along, stretch = (strength * _signed(generator, len(points), 3)).unbind(1)
    stretch = torch.exp(stretch)
    matrix = torch.stack([stretch, across, along, 1 / stretch], dim=1)
    return _linear(points, matrix.reshape(-1, 2, 2)), seen


def shift(points: Points, seen: Seen, generator: Generator, *, deviation: float) -> View:
    """Move the whole clip by a normal random vector."""
    offset = torch.zeros(len(points), 1, 1, points.shape[-1], device=points.device)
    offset[..., :2] = deviation * _normal(generator, len(points), 1, 1, 2)
    return points + offset, seen


def jitter(points: Points, seen: Seen, generator: Generator, *, deviation: float) -> View:
    """Normal noise on every point of every frame: a landmarker's trembling."""
    return points + deviation * _normal(generator, *points.shape), seen


def move_hands(
    points: Points,
    seen: Seen,
    generator: Generator,
    parts: Mapping[str, slice],
    *,
    degrees: float,
    scale: float,
    shift: float,
) -> View:
    """Turn and scale each hand about its own wrist, and shift it against the body.

    The shape of a hand and the path it takes vary from signer to signer independently.
    A part's first point is taken for its wrist.
    """
    moved = points.clone()
    for part in _hands(parts):
        hand = points[:, :, parts[part]]
        wrist = hand[:, :, :1]
        angle = math.radians(degrees) * _signed(generator, len(points))
        factor = torch.exp(math.log1p(scale) * _signed(generator, len(points), 1, 1, 1))
        offset = torch.zeros(len(points), 1, 1, points.shape[-1], device=points.device)
        offset[..., :2] = shift * _normal(generator, len(points), 1, 1, 2)
        known = seen[:, :, parts[part]]
        turned = wrist + offset + factor * _linear(hand - wrist, _rotation(angle))
        # Without its wrist a hand has nothing to turn about.
        turned = torch.where(known[:, :, :1, None] > 0, turned, hand + offset)
        moved[:, :, parts[part]] = turned
    return moved, seen


def tilt_hands(
    points: Points,
    seen: Seen,
    generator: Generator,
    parts: Mapping[str, slice],
    *,
    degrees: float,
) -> View:
    """Turn each hand out of the picture's plane about its own wrist, by up to `degrees`.

    About the upright axis, then about the level one: a hand as a camera elsewhere would see it,
    or as another signer holds it. Needs z (C is 3). Where z is 0 throughout, as in stores of flat
    points, a tilt shortens the hand by up to its cosine.
    """
    if points.shape[-1] < 3:
        return points, seen
    moved = points.clone()
    for part in _hands(parts):
        hand = points[:, :, parts[part]]
        x, y, z = (hand - hand[:, :, :1]).unbind(-1)
        angles = math.radians(degrees) * _signed(generator, len(points), 2, 1, 1)
        (cos, level_cos), (sin, level_sin) = angles.cos().unbind(1), angles.sin().unbind(1)
        x, z = x * cos + z * sin, z * cos - x * sin
        y, z = y * level_cos + z * level_sin, z * level_cos - y * level_sin
        tilted = hand[:, :, :1] + torch.stack([x, y, z], dim=-1)
        # Without its wrist a hand has nothing to turn about.
        known = seen[:, :, parts[part]][:, :, :1, None] > 0
        moved[:, :, parts[part]] = torch.where(known, tilted, hand)
    return moved, seen


def drop_points(points: Points, seen: Seen, generator: Generator, *, share: float) -> View:
    """Lose each point for the whole clip with probability `share`."""
    kept = (_uniform(generator, len(points), 1, points.shape[2]) >= share).to(seen.dtype)
    return points * kept[..., None], seen * kept


def drop_hands(
    points: Points, seen: Seen, generator: Generator, parts: Mapping[str, slice], *, chance: float
) -> View:
    """Lose each hand, with probability `chance`, for a stretch of up to half the clip."""
    batch, frames = seen.shape[:2]
    kept = torch.ones_like(seen)
    clock = torch.arange(frames, device=points.device)[None]
    for part in _hands(parts):
        lost = _uniform(generator, batch, 1) < chance
        length = frames / 2 * _uniform(generator, batch, 1)
        start = (frames - length) * _uniform(generator, batch, 1)
        gap = lost & (clock >= start) & (clock < start + length)
        kept[:, :, parts[part]] = (~gap).to(seen.dtype)[..., None]
    return points * kept[..., None], seen * kept


def mirror_clips(
    points: Points, seen: Seen, generator: Generator, mirror: Int[Tensor, " V"], *, share: float
) -> View:
    """Mirror a share of the clips: x turns its sign and left and right swap their names."""
    chosen = _uniform(generator, len(points), 1, 1) < share
    flip = torch.ones(points.shape[-1], device=points.device)
    flip[0] = -1
    swapped = points[:, :, mirror] * flip
    return (
        torch.where(chosen[..., None], swapped, points),
        torch.where(chosen, seen[:, :, mirror], seen),
    )


def _hands(parts: Mapping[str, slice]) -> list[str]:
    return [part for part in ("left_hand", "right_hand") if part in parts]


def _take_frames(points: Tensor, seen: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    clip = torch.arange(len(points), device=points.device)[:, None]
    return points[clip, index], seen[clip, index]


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)


def _linear(points: Tensor, matrix: Tensor) -> Tensor:
    """Multiply x and y by (B, 2, 2); leave z."""
    flat = torch.einsum("btvc,bdc->btvd", points[..., :2], matrix)
    return torch.cat([flat, points[..., 2:]], dim=-1)


def _uniform(generator: Generator, *shape: int) -> Tensor:
    if isinstance(generator, ClipChance):
        return generator.uniform(*shape)
    return torch.rand(shape, generator=generator, device=generator.device)


def _signed(generator: Generator, *shape: int) -> Tensor:
    return 2 * _uniform(generator, *shape) - 1


def _normal(generator: Generator, *shape: int) -> Tensor:
    if isinstance(generator, ClipChance):
        return generator.normal(*shape)
    return torch.randn(shape, generator=generator, device=generator.device)
