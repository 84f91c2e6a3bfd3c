"""What an ablation changes: one thing of the default each.

No torch in this file: `slr --help` must be quick.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from poseprep.errors import InputError
from poseprep.options import from_options, to_options
from sslmodel.config import OBJECTIVE_NAMES, PretrainConfig

# Name → what is changed, by the names of options.
VARIANTS: dict[str, dict[str, Any]] = {
    # SL-FPN's other published forms.
    "sl-fpn-random-predictor": {"objective": "sl-fpn", "sl_fpn_predictor": "random"},
    "sl-fpn-small-weight": {"objective": "sl-fpn", "sl_fpn_predictor_weight": 0.0022},
    # The two views alone.
    "no-original": {"sl_vicreg_original": False},
    # Views.
    "no-permute-ends": {"views_permute_ends": 0.0},
    "always-permute-ends": {"views_permute_ends": 1.0},
    "no-rotation": {"views_rotation_degrees": 0.0},
    "no-scale": {"views_scale": 0.0},
    "no-shear": {"views_shear": 0.0},
    "no-shift": {"views_shift": 0.0},
    "no-jitter": {"views_jitter": 0.0},
    "no-hand-turn": {"views_hand_turn_degrees": 0.0},
    "no-hand-tilt": {"views_hand_tilt_degrees": 0.0},
    "no-hand-scale": {"views_hand_scale": 0.0},
    "no-hand-shift": {"views_hand_shift": 0.0},
    "no-drop-points": {"views_drop_points": 0.0},
    "no-drop-hands": {"views_drop_hands": 0.0},
    "no-crop": {"views_crop": 0.0},
    "no-speed": {"views_speed": 0.0},
    # Inputs.
    "no-rooted": {"encoder_rooted": False},
    "no-bone": {"encoder_bone": False},
    "no-motion": {"encoder_motion": False},
    "no-graph": {"encoder_graph_blocks": 0},
    # Pooling, of the same channels: an embedding is as long as what is pooled.
    "mean-of-points": {"encoder_points_apart": False},
    "one-time-bin": {"encoder_time_bins": 1},
    "no-time-peaks": {"encoder_time_peaks": False},
    "four-time-means": {"encoder_time_peaks": False, "encoder_time_bins": 4},
    "st-gcn": {"encoder_backbone": "st-gcn"},
    # Length of training.
    "quarter-length": {"epochs": 0.25},
    "half-length": {"epochs": 0.5},
    "double-length": {"epochs": 2.0},
}


@dataclass(frozen=True)
class Row:
    """One row of a comparison: what is trained, and with how many seeds."""

    name: str
    config: PretrainConfig
    seeds: int


def rows_of(config: PretrainConfig, names: Sequence[str], seeds: int) -> list[Row]:
    """Rows by the names of objectives and variants; `name:5` has five seeds, `all` every variant.

    `name:0` leaves a variant out of `all`.

    Raises:
        InputError: there is no such row, its number of seeds is no number, or is 0 for what is no
            variant.
    """
    rows: dict[str, Row] = {}
    for given in names:
        name, _, own = (part.strip() for part in given.partition(":"))
        if own and not own.isdecimal():
            raise InputError(f"{given}: expected a number of seeds behind the colon")
        for one in VARIANTS if name == "all" else (name,):
            if one not in rows or name != "all":  # what is named counts
                rows[one] = Row(one, _changed(config, one), int(own) if own else seeds)
        if own and not int(own) and name not in VARIANTS:
            raise InputError(
                f"{given}: expected at least 1 seed, found 0, which leaves a single variant out of "
                "`all`, and nothing else"
            )
    return [row for row in rows.values() if row.seeds]


def _changed(config: PretrainConfig, name: str) -> PretrainConfig:
    if name in OBJECTIVE_NAMES:
        return replace(config, objective=name)
    if name not in VARIANTS:
        known = ", ".join((*OBJECTIVE_NAMES, *VARIANTS))
        raise InputError(f"{name}: expected objectives or variants, which are {known}")
    changes = dict(VARIANTS[name])
    if "epochs" in changes:  # a share of the training
        changes["epochs"] = max(1, round(config.epochs * changes["epochs"]))
    changed = from_options(PretrainConfig, {**to_options(config), **changes})
    # As wide as before, whatever time is pooled to.
    features = config.encoder.width * changed.encoder.pooled
    return replace(changed, encoder=replace(changed.encoder, features=features))
