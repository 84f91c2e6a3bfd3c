"""Settings, their options and what is allowed."""

from dataclasses import replace

import pytest

from poseprep.errors import InputError
from poseprep.options import Option, check, from_options, options
from sslmodel.backbones import BACKBONES
from sslmodel.config import (
    BACKBONE_NAMES,
    OBJECTIVE_NAMES,
    EncoderConfig,
    InputConfig,
    PretrainConfig,
    ProbeConfig,
    SLFPNConfig,
    ViewConfig,
)
from sslmodel.objectives import OBJECTIVES


def test_every_setting_is_an_option_with_help() -> None:
    found = {option.name: option for option in options(PretrainConfig)}
    assert found["views_shear"].default == PretrainConfig().views.shear
    assert all(option.help for option in found.values())
    assert all(option.type in (int, float, str, bool) for option in found.values())
    changed = from_options(PretrainConfig, {"epochs": 3, "views_shear": 0.5, "encoder_features": 8})
    assert changed.epochs == 3
    assert changed.views.shear == 0.5
    assert changed.encoder.features == 8
    assert changed.views.scale == PretrainConfig().views.scale


def test_the_objectives_and_backbones_that_can_be_chosen_are_those_there_are() -> None:
    assert tuple(OBJECTIVES) == OBJECTIVE_NAMES
    assert tuple(BACKBONES) == BACKBONE_NAMES


@pytest.mark.parametrize("config", [PretrainConfig, ProbeConfig])
def test_the_defaults_are_allowed_and_every_number_has_a_limit(config: type) -> None:
    check(config())
    for option in options(config):
        assert option.choices or option.type in (bool, str) or option.minimum is not None


@pytest.mark.parametrize("config", [PretrainConfig, ProbeConfig])
def test_what_lies_beyond_a_limit_is_refused(config: type) -> None:
    def refused(option: Option, value: object) -> bool:
        return not option.allows((1, value) if option.several else value)

    for option in options(config):
        if option.type in (int, float):
            assert refused(option, option.minimum - 1)
            assert refused(option, str(option.minimum))
            assert refused(option, 10**400)
            assert option.type is float or refused(option, option.minimum + 0.5)
            assert refused(option, float("nan"))
            assert refused(option, float("inf"))
            assert option.maximum is None or refused(option, option.maximum + 1)
        elif option.choices:
            assert refused(option, "banana")
        elif option.type is bool:
            assert refused(option, "false")
            assert option.allowed == "true or false"
        else:
            assert refused(option, 3)
            assert option.allowed == "text"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PretrainConfig(views=ViewConfig(crop=1.0)), "--views-crop: .*at most 0.9, found 1.0"),
        (PretrainConfig(accelerator="tpu"), "--accelerator: .*auto, cpu, gpu, found 'tpu'"),
        (PretrainConfig(learning_rate=0.0), "--learning-rate: .*at least 1e-09"),
        (PretrainConfig(weight_decay=-1.0), "--weight-decay: .*at least 0"),
        (PretrainConfig(warmup=1.5), "--warmup: .*at most 1"),
        (PretrainConfig(seed=-1), "--seed"),
        (PretrainConfig(split_seed=2**32), "--split-seed: .*at most 4294967295"),
        (PretrainConfig(batch=1), "--batch: .*at least 2"),
        (PretrainConfig(input=InputConfig(window_seconds=0.0)), "--input-window-seconds"),
        (PretrainConfig(encoder=EncoderConfig(time_bins=0)), "--encoder-time-bins"),
        (PretrainConfig(sl_fpn=SLFPNConfig(projection=0)), "--sl-fpn-projection"),
        (ProbeConfig(resamples=0), "--resamples: expected a whole number, at least 1, found 0"),
    ],
)
def test_a_refusal_names_the_option_the_value_and_what_is_allowed(config, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(config)
    with pytest.raises(InputError):
        check(replace(PretrainConfig(), epochs=0))
