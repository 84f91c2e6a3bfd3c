"""The settings of every command. Defaults live here, once; the command line is made from it.

No torch in this file: `slr --help` must be quick.
"""

from dataclasses import dataclass, field
from typing import Any

from poseprep.options import setting

# The names of OBJECTIVES, said again here because that dict needs torch; a test compares them.
OBJECTIVE_NAMES = (
    *("sl-vicreg", "sl-sigreg", "sl-fpn"),
    *("simclr", "moco", "byol", "simsiam", "barlow-twins", "vicreg"),
)
# The names of BACKBONES, for the same reason.
BACKBONE_NAMES = ("parts-apart", "st-gcn", "gcn")
ACCELERATORS = ("auto", "cpu", "gpu")
PARTS = ("test", "val")
_LARGEST_SEED = 2**32 - 1


def _size(default: int, help: str) -> Any:
    return setting(default, help, 1)


# More is a typing mistake, or a stranger's file that asks for more memory than there is.
_WIDEST = 20_000


def _width(default: int, help: str) -> Any:
    return setting(default, help, 1, _WIDEST)


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

    frames: int = setting(32, "frames of a clip after resampling", minimum=1, maximum=10_000)
    gap_seconds: float = _strength(0.25, "a point missing for longer than this stays missing")
    window_seconds: float = setting(
        10.0, "longer clips are cut into windows of at most this", minimum=0.1
    )


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder's inputs, backbone and size. `features` is D, the length of an embedding."""

    backbone: str = setting(
        "parts-apart", "what reads the inputs; see docs/method.md", choices=BACKBONE_NAMES
    )
    features: int = _width(
        1536,
        "length of an embedding; a multiple of the time bins; with peaks, of twice their number",
    )
    point_channels: int = _width(8, "channels of every point in the graph blocks")
    graph_blocks: int = setting(
        1, "graph blocks before the points are read out", minimum=0, maximum=10
    )
    time_blocks: int = setting(
        2, "temporal blocks after the points are read out", minimum=0, maximum=10
    )
    time_bins: int = setting(2, "stretches of time that are pooled apart", 1, 1_000)
    time_peaks: bool = setting(True, "pool the maximum of each stretch beside its mean")
    points_apart: bool = setting(True, "parts-apart: points are read apart; else their mean")
    rooted: bool = setting(True, "read where a point is from its part's root, such as the wrist")
    bone: bool = setting(True, "read where a point is from its parent")
    motion: bool = setting(True, "read how a point moves")

    @property
    def width(self) -> int:
        """Channels of a frame before time is pooled."""
        return self.features // self.pooled

    @property
    def pooled(self) -> int:
        """How many pooled frames an embedding is made of."""
        return self.time_bins * (2 if self.time_peaks else 1)


# The three sizes of `--size`; EncoderConfig's defaults are those of base.
ENCODER_SIZES = {
    "small": EncoderConfig(features=512, time_blocks=1),
    "base": EncoderConfig(),
    "large": EncoderConfig(features=3072, point_channels=16, time_blocks=3),
}


@dataclass(frozen=True)
class ViewConfig:
    """How strongly a view differs from its clip. 1.0 is one shoulder width."""

    permute_ends: float = _share(0.5, "share of views whose first third and last quarter shuffle")
    rotation_degrees: float = _strength(20.0, "rotation in the picture's plane, up to this")
    scale: float = _strength(0.2, "size, up to this factor more or less")
    shear: float = _strength(0.15, "shear, up to this")
    shift: float = _strength(0.2, "shift of the whole clip, standard deviation")
    jitter: float = _strength(0.01, "noise of every point in every frame, standard deviation")
    hand_turn_degrees: float = _strength(10.0, "turn of a hand about its wrist, up to this")
    hand_tilt_degrees: float = _strength(
        40.0, "turn of a hand out of the picture's plane, up to this; needs z"
    )
    hand_scale: float = _strength(0.25, "size of a hand about its wrist, up to this factor")
    hand_shift: float = _strength(0.1, "shift of a hand against the body, standard deviation")
    drop_points: float = _share(0.05, "share of points dropped for the whole clip")
    drop_hands: float = _share(0.05, "chance of each hand to be dropped for a stretch of time")
    crop: float = _share(0.3, "time cut from the ends, up to this share", maximum=0.9)
    speed: float = _strength(0.5, "how unevenly time may run, 0 is evenly")
    mirror: float = _share(0.0, "share of views mirrored; handedness is meaning, so none")


def _hidden(default: int = 1024) -> Any:
    return _width(default, "width of a head's hidden layer")


def _projection(default: int = 512) -> Any:
    return _width(default, "length of a projection")


def _temperature() -> Any:
    return setting(0.2, "of the shares; smaller minds the nearest negatives more", minimum=1e-3)


@dataclass(frozen=True)
class SLFPNConfig:
    """SL-FPN as published: three branches, plain mean squared error."""

    views_weight: float = _strength(1.0, "weight of the distance between the two views")
    original_weight: float = _strength(1.0, "weight of that between original and first view")
    predictor_weight: float = _strength(0.5, "λ of the predictor's term (0.5 or 0.0022 published)")
    predictor: str = setting(
        "trained",
        "random: new random weights at every step, as in the authors' code",
        choices=("trained", "random"),
    )
    hidden: int = _hidden(512)
    projection: int = _projection(128)


@dataclass(frozen=True)
class VICRegConfig:
    """VICReg: two views held together, and every dimension apart."""

    invariance: float = _strength(25.0, "weight of the distance between the branches")
    variance: float = _strength(25.0, "weight of the hinge that keeps every dimension alive")
    covariance: float = _strength(2.0, "weight of the correlation between dimensions")
    hidden: int = _hidden()
    projection: int = _projection()


@dataclass(frozen=True)
class SLVICRegConfig(VICRegConfig):
    """The default: SL-FPN's three branches, held apart by variance and covariance terms."""

    original: bool = setting(True, "the clip as it is is a third branch beside its two views")
    covariance: float = _strength(1.0, "weight of the correlation between dimensions")


@dataclass(frozen=True)
class SLSIGRegConfig:
    """SL-FPN's three branches, each held to a normal cloud by LeJEPA's SIGReg."""

    normality: float = _share(0.05, "weight λ of the normality term; the distances have 1 − λ")
    directions: int = _width(256, "random directions along which a cloud is judged, each step")
    hidden: int = _hidden()
    projection: int = _projection()


@dataclass(frozen=True)
class SimCLRConfig:
    """SimCLR: the other clips of a batch are negatives."""

    temperature: float = _temperature()
    hidden: int = _hidden()
    projection: int = _projection()


@dataclass(frozen=True)
class MoCoConfig:
    """MoCo: negatives from a queue, keys by a slow encoder."""

    temperature: float = _temperature()
    momentum: float = _share(0.99, "of the slow encoder, that stays at every step")
    queue: int = _size(1024, "negatives that are kept")
    hidden: int = _hidden()
    projection: int = _projection()


@dataclass(frozen=True)
class BYOLConfig:
    """BYOL: guess what a slow encoder says of the other view."""

    momentum: float = _share(0.99, "of the slow encoder, that stays at the first step; rises to 1")
    hidden: int = _hidden()
    projection: int = _projection()


@dataclass(frozen=True)
class SimSiamConfig:
    """SimSiam: guess the other view, which holds still."""

    hidden: int = _hidden()
    projection: int = _projection()
    bottleneck: int = _width(64, "width of the predictor's hidden layer")


@dataclass(frozen=True)
class BarlowTwinsConfig:
    """Barlow Twins: the views' cross-correlation drawn to the identity."""

    redundancy: float = _strength(0.005, "weight λ of the correlations between dimensions")
    hidden: int = _hidden()
    projection: int = _projection()


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides a run, besides the stores."""

    objective: str = setting(
        "sl-vicreg", "what is minimised; see docs/method.md", choices=OBJECTIVE_NAMES
    )
    epochs: int = _size(100, "passes over the training clips")
    batch: int = setting(
        128,
        "at most this many windows (a clip, or a stretch of a long one) a step; fewer where an "
        "epoch would have fewer than four steps",
        minimum=2,
    )
    learning_rate: float = setting(1e-3, "peak learning rate of AdamW", minimum=1e-9)
    weight_decay: float = _strength(0.01, "weight decay of AdamW")
    warmup: float = _share(0.1, "share of the steps in which the learning rate rises")
    seed: int = _seed("seed of the weights, the order and the views")
    split_seed: int = _seed("seed of the split, where the labels give none")
    all_clips: bool = setting(False, "learn from val and test too; scores are then transductive")
    accelerator: str = _accelerator()
    devices: int = _size(1, "devices of a machine, one process each")
    nodes: int = _size(1, "machines; each is given the same command by torchrun or Slurm")
    precision: str = setting(
        "auto", "32, bf16, or auto: bf16 on a GPU that has it", choices=("auto", "32", "bf16")
    )
    compile: bool = setting(
        False, "compile the encoder (torch.compile); needs a compiler: of C++, for a GPU of C"
    )
    stop_on_collapse: bool = setting(True, "stop when the embedding has collapsed")
    input: InputConfig = field(default_factory=InputConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    sl_fpn: SLFPNConfig = field(default_factory=SLFPNConfig)
    sl_vicreg: SLVICRegConfig = field(default_factory=SLVICRegConfig)
    sl_sigreg: SLSIGRegConfig = field(default_factory=SLSIGRegConfig)
    simclr: SimCLRConfig = field(default_factory=SimCLRConfig)
    moco: MoCoConfig = field(default_factory=MoCoConfig)
    byol: BYOLConfig = field(default_factory=BYOLConfig)
    simsiam: SimSiamConfig = field(default_factory=SimSiamConfig)
    barlow_twins: BarlowTwinsConfig = field(default_factory=BarlowTwinsConfig)
    vicreg: VICRegConfig = field(default_factory=VICRegConfig)


@dataclass(frozen=True)
class FineTuneConfig:
    """How an encoder learns with labels, from a pretrained start or from nothing."""

    epochs: int = _size(40, "passes over the labelled clips")
    fewest_steps: int = _size(200, "steps at least, where the labelled clips are few")
    batch: int = _size(64, "windows a step")
    learning_rate: float = setting(1e-3, "peak learning rate of AdamW", minimum=1e-9)
    weight_decay: float = _strength(0.05, "weight decay of AdamW")
    warmup: float = _share(0.1, "share of the steps in which the learning rate rises")
    label_smoothing: float = _share(0.1, "share of certainty given to the other signs")


@dataclass(frozen=True)
class ProbeConfig:
    """How a frozen encoder is measured."""

    part: str = setting(
        "test", "test scores; val is for choosing between runs: test stays unseen", choices=PARTS
    )
    fractions: tuple[float, ...] = setting(
        (0.01, 0.1, 0.3, 1.0), "shares of the labels for linear evaluation", 1e-6, 1
    )
    shots: tuple[int, ...] = setting((1, 5), "labelled clips a sign for the nearest centroid", 1)
    draws: int = _size(5, "draws of the labels, where not all are used")
    neighbours: int = _size(5, "neighbours that vote (kNN)")
    finetune: str = setting(
        "none", "train the encoder's layers with the labels too", choices=("none", "last", "whole")
    )
    supervised: bool = setting(False, "the same encoder trained from scratch on the same labels")
    phonology: str = setting(
        "", "CSV: sign, and a column a parameter; scores signs that differ in one of them"
    )
    signer_probe: bool = setting(False, "how well the embedding gives away who signs")
    leave_one_signer_out: bool = setting(False, "each signer in turn is the test part")
    allow_signer_leak: bool = setting(
        False, "score a split in which signers of test stand in train too, and mark the score"
    )
    baselines: bool = setting(True, "raw coordinates and untrained encoders beside")
    untrained_seeds: int = _size(3, "untrained encoders that the baseline averages over")
    seed: int = _seed("seed of the draws of labels and of the bootstrap")
    split_seed: int = _seed("seed of the split, for a store that the run did not learn from")
    resamples: int = _size(1000, "bootstrap resamples")
    accelerator: str = _accelerator()
    tune: FineTuneConfig = field(default_factory=FineTuneConfig)
