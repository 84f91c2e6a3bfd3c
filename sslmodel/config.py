"""The settings of every command. Defaults live here, once; the command line is made from it.

No torch in this file: `slr --help` must be quick.
"""

from dataclasses import dataclass, field
from typing import Any

from poseprep.options import setting

# The names of OBJECTIVES, said again here because that dict needs torch; a test compares them.
OBJECTIVE_NAMES = ("sl-vicreg", "sl-fpn")
ACCELERATORS = ("auto", "cpu", "gpu")
_LARGEST_SEED = 2**32 - 1


def _size(default: int, help: str) -> Any:
    return setting(default, help, 1)


def _strength(default: float, help: str) -> Any:
    return setting(default, help, 0)


def _share(default: float, help: str, maximum: float = 1) -> Any:
    return setting(default, help, 0, maximum)


def _seed(help: str) -> Any:
    return setting(0, help, 0, _LARGEST_SEED)


def _accelerator() -> Any:
    return setting("auto", "auto, cpu or gpu", choices=ACCELERATORS)


@dataclass(frozen=True)
class InputConfig:
    """How a clip becomes what the encoder reads; `poseprep.normalize` does it."""

    frames: int = _size(32, "frames of a clip after resampling")
    gap_seconds: float = _strength(0.25, "a point missing for longer than this stays missing")
    window_seconds: float = setting(
        10.0, "longer clips are cut into windows of at most this", minimum=0.1
    )


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder's size. `features` is D, the length of an embedding."""

    features: int = _size(512, "length of an embedding; a multiple of the time bins")
    point_channels: int = _size(32, "channels of every point in the graph blocks")
    part_channels: int = _size(128, "channels that each part of the body is read out to")
    graph_blocks: int = setting(2, "graph blocks before the points are read out", minimum=0)
    time_blocks: int = setting(
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

    objective: str = setting(
        "sl-vicreg", "what is minimised; see docs/method.md", choices=OBJECTIVE_NAMES
    )
    epochs: int = _size(60, "passes over the training clips")
    batch: int = setting(
        32, "at most this many windows (a clip, or a stretch of a long one) a step", minimum=2
    )
    learning_rate: float = setting(1e-3, "peak learning rate of AdamW", minimum=1e-9)
    weight_decay: float = _strength(0.01, "weight decay of AdamW")
    warmup: float = _share(0.1, "share of the steps in which the learning rate rises")
    seed: int = _seed("seed of the weights, the order and the views")
    split_seed: int = _seed("seed of the split, where the labels give none")
    all_clips: bool = setting(False, "learn from val and test too; scores are then transductive")
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
