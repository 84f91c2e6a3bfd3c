"""The settings of every command. Defaults live here, once; the command line is made from it.

No torch in this file: `slr --help` must be quick.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeVar

from poseprep.errors import InputError

T = TypeVar("T")

# The names of OBJECTIVES, said again here because that dict needs torch; a test compares them.
OBJECTIVE_NAMES = ("sl-vicreg", "sl-fpn")
ACCELERATORS = ("auto", "cpu", "gpu")
_LARGEST_SEED = 2**32 - 1


def _field(
    default: Any,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    limits = {"minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata={"help": help, **limits})


def _size(default: int, help: str) -> Any:
    return _field(default, help, 1)


def _strength(default: float, help: str) -> Any:
    return _field(default, help, 0)


def _share(default: float, help: str, maximum: float = 1) -> Any:
    return _field(default, help, 0, maximum)


def _seed(help: str) -> Any:
    return _field(0, help, 0, _LARGEST_SEED)


def _accelerator() -> Any:
    return _field("auto", "auto, cpu or gpu", choices=ACCELERATORS)


@dataclass(frozen=True)
class InputConfig:
    """How a clip becomes what the encoder reads; `poseprep.normalize` does it."""

    frames: int = _size(32, "frames of a clip after resampling")
    gap_seconds: float = _strength(0.25, "a point missing for longer than this stays missing")
    window_seconds: float = _field(
        10.0, "longer clips are cut into windows of at most this", minimum=0.1
    )


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder's size. `features` is D, the length of an embedding."""

    features: int = _size(512, "length of an embedding; a multiple of the time bins")
    point_channels: int = _size(32, "channels of every point in the graph blocks")
    part_channels: int = _size(128, "channels that each part of the body is read out to")
    graph_blocks: int = _field(2, "graph blocks before the points are read out", minimum=0)
    time_blocks: int = _field(
        1, "temporal blocks after the points are read out", minimum=0, maximum=10
    )
    time_bins: int = _size(4, "stretches of time that are pooled apart")


@dataclass(frozen=True)
class ViewConfig:
    """How strongly a view differs from its clip. 1.0 is one shoulder width."""

    permute_ends: float = _share(0.5, "share of views whose first third and last quarter shuffle")
    rotation_degrees: float = _strength(15.0, "rotation in the picture's plane, up to this")
    scale: float = _strength(0.2, "size, up to this factor more or less")
    shear: float = _strength(0.15, "shear, up to this")
    shift: float = _strength(0.1, "shift of the whole clip, standard deviation")
    jitter: float = _strength(0.01, "noise of every point in every frame, standard deviation")
    hand_turn_degrees: float = _strength(10.0, "turn of a hand about its wrist, up to this")
    hand_scale: float = _strength(0.1, "size of a hand about its wrist, up to this factor")
    hand_shift: float = _strength(0.1, "shift of a hand against the body, standard deviation")
    drop_points: float = _share(0.05, "share of points dropped for the whole clip")
    drop_hands: float = _share(0.05, "chance of each hand to be dropped for a stretch of time")
    crop: float = _share(0.2, "time cut from the ends, up to this share", maximum=0.9)
    speed: float = _strength(0.3, "how unevenly time may run, 0 is evenly")
    mirror: float = _share(0.0, "share of views mirrored; handedness is meaning, so none")


@dataclass(frozen=True)
class SLFPNConfig:
    """SL-FPN as published: three branches, plain mean squared error."""

    predictor_weight: float = _strength(0.5, "λ of the predictor's term (0.5 or 0.0022 published)")
    hidden: int = _size(512, "width of the projector's hidden layer")
    projection: int = _size(128, "length of a projection")


@dataclass(frozen=True)
class SLVICRegConfig:
    """The default: SL-FPN's three branches, held apart by variance and covariance terms."""

    invariance: float = _strength(25.0, "weight of the distance between the branches")
    variance: float = _strength(25.0, "weight of the hinge that keeps every dimension alive")
    covariance: float = _strength(1.0, "weight of the correlation between dimensions")
    hidden: int = _size(512, "width of the projector's hidden layer")
    projection: int = _size(256, "length of a projection")


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides a run, besides the stores."""

    objective: str = _field(
        "sl-vicreg", "what is minimised; see docs/method.md", choices=OBJECTIVE_NAMES
    )
    epochs: int = _size(60, "passes over the training clips")
    batch: int = _field(
        32, "at most this many windows (a clip, or a stretch of a long one) a step", minimum=2
    )
    learning_rate: float = _field(1e-3, "peak learning rate of AdamW", minimum=1e-9)
    weight_decay: float = _strength(0.01, "weight decay of AdamW")
    warmup: float = _share(0.1, "share of the steps in which the learning rate rises")
    seed: int = _seed("seed of the weights, the order and the views")
    split_seed: int = _seed("seed of the split, where the labels give none")
    all_clips: bool = _field(False, "learn from val and test too; scores are then transductive")
    accelerator: str = _accelerator()
    input: InputConfig = field(default_factory=InputConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    sl_fpn: SLFPNConfig = field(default_factory=SLFPNConfig)
    sl_vicreg: SLVICRegConfig = field(default_factory=SLVICRegConfig)


@dataclass(frozen=True)
class ProbeConfig:
    """How a frozen encoder is measured."""

    seed: int = _seed("seed of the bootstrap")
    split_seed: int = _seed("seed of the split, for a store that the run did not learn from")
    untrained_seeds: int = _size(3, "untrained encoders that the baseline averages over")
    resamples: int = _size(1000, "bootstrap resamples of the test part")
    accelerator: str = _accelerator()


@dataclass(frozen=True)
class Option:
    """One setting as a command-line option: `views.shear` becomes `--views-shear`.

    minimum and maximum are allowed themselves; None is no limit.
    """

    path: tuple[str, ...]
    type: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """As a Python argument: `views_shear`."""
        return "_".join(self.path)

    @property
    def flag(self) -> str:
        """As a user types it: `--views-shear`."""
        return "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """What is allowed, for a person."""
        if self.choices is not None:
            return f"one of {', '.join(self.choices)}"
        limits = ((self.minimum, "at least"), (self.maximum, "at most"))
        said = [f"{words} {limit}" for limit, words in limits if limit is not None]
        return f"a number, {' and '.join(said)}" if said else "a number"

    def allows(self, value: Any) -> bool:
        """Whether a value lies within the limits; infinite and not a number never do."""
        if self.type in (bool, str):
            return self.choices is None or value in self.choices
        return (
            math.isfinite(value)
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )


def check(config: Any) -> None:
    """Raise InputError for the first setting that is not allowed, by its option's name."""
    for option in options(type(config)):
        value = reduce(getattr, option.path, config)
        if not option.allows(value):
            raise InputError(f"{option.flag}: expected {option.allowed}, found {value!r}")


def options(cls: type, prefix: tuple[str, ...] = ()) -> list[Option]:
    """Every setting of a config class, those of its groups included."""
    found = []
    for entry in dataclasses.fields(cls):
        path = (*prefix, entry.name)
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            found += options(entry.type, path)
        elif isinstance(entry.type, type):
            found.append(Option(path, entry.type, entry.default, **entry.metadata))
    return found


def from_options(cls: type[T], values: Mapping[str, Any]) -> T:
    """The config of these option values, by `Option.name`; what is left out is the default."""
    flat = {option.path: values[option.name] for option in options(cls) if option.name in values}
    return _build(cls, flat, ())


def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
    """The config that `dataclasses.asdict` was made from. Unknown names raise TypeError."""
    groups = {
        entry.name: from_dict(entry.type, values[entry.name])
        for entry in dataclasses.fields(cls)  # type: ignore[arg-type]
        if isinstance(entry.type, type)
        and dataclasses.is_dataclass(entry.type)
        and entry.name in values
    }
    return cls(**{**values, **groups})


def _build(cls: type[T], flat: Mapping[tuple[str, ...], Any], prefix: tuple[str, ...]) -> T:
    given: dict[str, Any] = {}
    for entry in dataclasses.fields(cls):  # type: ignore[arg-type]
        path = (*prefix, entry.name)
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            given[entry.name] = _build(entry.type, flat, path)
        elif path in flat:
            given[entry.name] = flat[path]
    return cls(**given)
