"""How options are declared: fields of a dataclass, each with its meaning; every package has its `options.py`.

A field made by `option` is the one definition of an option: Hydra composes it from YAML and the command line,
`--help` prints its meaning and default, and the program reads the dataclass. No `options.py` imports PyTorch,
so that help and a mistyped name cost no start-up time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, fields
from functools import reduce
from numbers import Integral, Real
from operator import getitem
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from s2robot.errors import UserError

__all__ = ["MISSING", "at_least", "check_types", "option", "plain", "same_option"]


def option(default: Any, meaning: str, **metadata: Any) -> Any:
    """A field of an options dataclass: its default (lists and dictionaries are copied) and what it means.

    `meaning` is a short sentence with unit and choices, as `--help` shows it. `metadata` is kept beside it in
    the field's metadata; a package says which keys it uses.
    """
    metadata = {"meaning": meaning, **metadata}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def same_option(options: Any, name: str) -> Any:
    """A field with the default and the meaning of the field `name` of another options dataclass."""
    (found,) = (one for one in fields(options) if one.name == name)
    return field(default=found.default, default_factory=found.default_factory, metadata=found.metadata)


def at_least(least: float, options: object, *names: str, group: str = "") -> None:
    """Raise `UserError` for the first of these options that is below `least`; `group` is its prefix."""
    for name in names:
        if not getattr(options, name) >= least:  # also for NaN
            raise UserError(f"{group}{name}={getattr(options, name)} must be at least {least}")


def check_types(options: Any, group: str = "") -> None:
    """Raise `UserError` for the first option whose value is not of its declared type; `group` is its prefix.

    Hydra sees to that on the command line; this is for values from Python and from files.
    """
    for name, kind in get_type_hints(type(options)).items():
        value = getattr(options, name)
        if not _fits(value, kind):
            told = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
            raise UserError(f"{group}{name}={value!r} is of another type than {told}")


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is list:
        return isinstance(value, list | tuple) and all(_fits(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, Mapping) and all(
            _fits(key, inner[0]) and _fits(one, inner[1]) for key, one in value.items()
        )
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, str | Path if kind is str else kind)


def plain(options: Any, without: Sequence[str] = ()) -> dict[str, Any]:
    """The options as plain data, but those of these dotted names."""
    values = asdict(options)
    for name in without:
        *groups, last = name.split(".")
        del reduce(getitem, groups, values)[last]
    return values
