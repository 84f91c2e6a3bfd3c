"""The settings of every command. Defaults live here, once; the command line is made from it.

No torch in this file: `slr --help` must be quick.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


def _field(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class InputConfig:
    """How a clip becomes what the encoder reads; `poseprep.normalize` does it."""

    frames: int = _field(32, "frames of a clip after resampling")
    gap_seconds: float = _field(0.25, "a point missing for longer than this stays missing")
    window_seconds: float = _field(10.0, "longer clips are cut into windows of at most this")


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder's size. `features` is D, the length of an embedding."""

    features: int = _field(512, "length of an embedding; a multiple of the time bins")
    point_channels: int = _field(32, "channels of every point in the graph blocks")
    part_channels: int = _field(128, "channels that each part of the body is read out to")
    graph_blocks: int = _field(2, "graph blocks before the points are read out")
    time_blocks: int = _field(1, "temporal blocks after the points are read out")
    time_bins: int = _field(4, "stretches of time that are pooled apart")


@dataclass(frozen=True)
class ViewConfig:
    """How strongly a view differs from its clip. 1.0 is one shoulder width."""

    permute_ends: float = _field(0.5, "share of views whose first third and last quarter shuffle")
    rotation_degrees: float = _field(15.0, "rotation in the picture's plane, up to this")
    scale: float = _field(0.2, "size, up to this factor more or less")
    shear: float = _field(0.15, "shear, up to this")
    shift: float = _field(0.1, "shift of the whole clip, standard deviation")
    jitter: float = _field(0.01, "noise of every point in every frame, standard deviation")
    hand_turn_degrees: float = _field(10.0, "turn of a hand about its wrist, up to this")
    hand_scale: float = _field(0.1, "size of a hand about its wrist, up to this factor")
    hand_shift: float = _field(0.1, "shift of a hand against the body, standard deviation")
    drop_points: float = _field(0.05, "share of points dropped for the whole clip")
    drop_hands: float = _field(0.05, "chance of each hand to be dropped for a stretch of time")
    crop: float = _field(0.2, "time cut from the ends, up to this share")
    speed: float = _field(0.3, "how unevenly time may run, 0 is evenly")
    mirror: float = _field(0.0, "share of views mirrored; handedness is meaning, so none")


@dataclass(frozen=True)
class SLFPNConfig:
    """SL-FPN as published: three branches, plain mean squared error."""

    predictor_weight: float = _field(0.5, "λ of the predictor's term (0.5 or 0.0022 published)")
    hidden: int = _field(512, "width of the projector's hidden layer")
    projection: int = _field(128, "length of a projection")


@dataclass(frozen=True)
class SLVICRegConfig:
    """The default: SL-FPN's three branches, held apart by variance and covariance terms."""

    invariance: float = _field(25.0, "weight of the distance between the branches")
    variance: float = _field(25.0, "weight of the hinge that keeps every dimension alive")
    covariance: float = _field(1.0, "weight of the correlation between dimensions")
    hidden: int = _field(512, "width of the projector's hidden layer")
    projection: int = _field(256, "length of a projection")


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides a run, besides the stores."""

    objective: str = _field("sl-vicreg", "what is minimised; see sslmodel/objectives")
    epochs: int = _field(60, "passes over the training clips")
    batch: int = _field(32, "at most this many clips a step; an epoch is cut into equal steps")
    learning_rate: float = _field(1e-3, "peak learning rate of AdamW")
    weight_decay: float = _field(0.01, "weight decay of AdamW")
    warmup: float = _field(0.1, "share of the steps in which the learning rate rises")
    seed: int = _field(0, "seed of the weights, the order and the views")
    split_seed: int = _field(0, "seed of the split, where the labels give none")
    all_clips: bool = _field(False, "learn from val and test too; scores are then transductive")
    accelerator: str = _field("auto", "auto, cpu or gpu")
    input: InputConfig = field(default_factory=InputConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    sl_fpn: SLFPNConfig = field(default_factory=SLFPNConfig)
    sl_vicreg: SLVICRegConfig = field(default_factory=SLVICRegConfig)


@dataclass(frozen=True)
class ProbeConfig:
    """How a frozen encoder is measured."""

    seed: int = _field(0, "seed of the bootstrap")
    split_seed: int = _field(0, "seed of the split, for a store that the run did not learn from")
    untrained_seeds: int = _field(3, "untrained encoders that the baseline averages over")
    resamples: int = _field(1000, "bootstrap resamples of the test clips")
    accelerator: str = _field("auto", "auto, cpu or gpu")


@dataclass(frozen=True)
class Option:
    """One setting as a command-line option: `views.shear` becomes `--views-shear`."""

    path: tuple[str, ...]
    type: type
    default: Any
    help: str

    @property
    def name(self) -> str:
        return "_".join(self.path)


def options(cls: type, prefix: tuple[str, ...] = ()) -> list[Option]:
    """Every setting of a config class, those of its groups included."""
    found = []
    for entry in dataclasses.fields(cls):
        path = (*prefix, entry.name)
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            found += options(entry.type, path)
        elif isinstance(entry.type, type):
            found.append(Option(path, entry.type, entry.default, entry.metadata["help"]))
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
