"""Settings as dataclass fields, from which the commands' options are made: a default lives once.

Nothing heavy is imported here or where settings are: `slr --help` must be quick.
"""

import dataclasses
import numbers
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

from poseprep.errors import InputError

T = TypeVar("T")


def setting(
    default: Any,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    metavar: str | None = None,
) -> Any:
    """A field of a settings dataclass, with what its option says and allows."""
    limits = {"minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata={"help": help, "metavar": metavar, **limits})


@dataclass(frozen=True)
class Option:
    """One setting as a command-line option: `views.shear` becomes `--views-shear`.

    minimum and maximum are allowed themselves; None is no limit. `several`: the value is a tuple
    of `type`, which a user types with commas. `metavar`: what the help calls the value; None is
    its type.
    """

    path: tuple[str, ...]
    type: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    metavar: str | None = None
    several: bool = False

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
        if self.type in (bool, str):
            return "true or false" if self.type is bool else "text"
        limits = ((self.minimum, "at least"), (self.maximum, "at most"))
        said = [f"{words} {limit}" for limit, words in limits if limit is not None]
        number = "whole number" if self.type is int else "number"
        what = f"{number}s with commas between, each" if self.several else f"a {number},"
        return f"{what} {' and '.join(said)}" if said else what.rpartition(",")[0]

    def allows(self, value: Any) -> bool:
        """Whether a value is of the type, and within the limits; infinite and NaN never are."""
        if self.several:
            return all(replace(self, several=False).allows(one) for one in value)
        if value is None:
            return self.default is None
        if self.type in (bool, str):
            return isinstance(value, self.type) and (self.choices is None or value in self.choices)
        return (
            _is_number(value, whole=self.type is int)
            and abs(value) <= sys.float_info.max
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )


def _is_number(value: Any, whole: bool) -> bool:
    kind = numbers.Integral if whole else numbers.Real
    return isinstance(value, kind) and not isinstance(value, bool)


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
        else:
            kind, several = _value_type(entry.type), get_origin(entry.type) is tuple
            found.append(Option(path, kind, entry.default, several=several, **entry.metadata))
    return found


def _value_type(annotation: Any) -> type:
    """`float` for `float | None` and for `tuple[float, ...]`."""
    given = [kind for kind in get_args(annotation) if kind not in (NoneType, Ellipsis)]
    return given[0] if given else annotation


def from_options(cls: type[T], values: Mapping[str, Any]) -> T:
    """The config of these option values, by `Option.name`; what is left out is the default."""
    flat = {option.path: values[option.name] for option in options(cls) if option.name in values}
    return _build(cls, flat, ())


def to_options(config: Any) -> dict[str, Any]:
    """The values of a config by `Option.name`: what `from_options` makes it of again."""
    return {o.name: reduce(getattr, o.path, config) for o in options(type(config))}


def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
    """The config that `dataclasses.asdict` was made from. Unknown names raise TypeError."""
    groups = {
        entry.name: from_dict(entry.type, values[entry.name])
        for entry in dataclasses.fields(cls)  # type: ignore[arg-type]
        if isinstance(entry.type, type)
        and dataclasses.is_dataclass(entry.type)
        and entry.name in values
    }
    # JSON knows lists only.
    plain = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return cls(**{**plain, **groups})


def _build(cls: type[T], flat: Mapping[tuple[str, ...], Any], prefix: tuple[str, ...]) -> T:
    given: dict[str, Any] = {}
    for entry in dataclasses.fields(cls):  # type: ignore[arg-type]
        path = (*prefix, entry.name)
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            given[entry.name] = _build(entry.type, flat, path)
        elif path in flat:
            given[entry.name] = flat[path]
    return cls(**given)
