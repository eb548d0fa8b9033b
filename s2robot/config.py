"""How options are declared: fields of a dataclass, each with its meaning; every package has its `options.py`.

A field made by `option` is the one definition of an option: Hydra composes it from YAML and the command line,
`--help` prints its meaning and default, and the program reads the dataclass. No `options.py` imports PyTorch,
so that help and a mistyped name cost no start-up time.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, field, fields
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from s2robot.errors import UserError

__all__ = ["MISSING", "as_declared", "at_least", "differences", "left_out", "option", "plain", "same_option"]


MOST_SHOWN = 40  # characters of a value in a message


def option(default: Any, meaning: str, **metadata: Any) -> Any:
    """A field of an options dataclass: its default (lists and dictionaries are copied) and what it means.

    `meaning` is a short sentence with unit and choices, as `--help` shows it. `metadata` is kept beside it in
    the field's metadata; a package says which keys it uses. With `mapping=True` an option without a fixed
    type may be a dictionary, and the command line takes `group.option.name=value`.
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


def as_declared(options: type, values: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Values of an options dataclass in their declared types: lists of tuples, text of paths.

    Hydra sees to that on the command line; this is for values from Python and from files. Raises `UserError`
    for the first that is of another type; `group` is its prefix.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{group.rstrip('.') or 'options'}={values!r:.60} must be options by name")
    declared = {}
    for name, kind in get_type_hints(options).items():
        if name in values:
            try:
                declared[name] = _converted(values[name], kind)
            except TypeError as error:
                told = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
                value = values[name]
                raise UserError(f"{group}{name}={value!r} is of another type than {told}") from error
    return declared


def _converted(value: Any, kind: Any) -> Any:
    """The value as one of this type; TypeError if it is none."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return _first_converted(value, inner)
    if origin is list and isinstance(value, list | tuple):
        return [_converted(one, inner[0]) for one in value]
    if origin is dict and isinstance(value, Mapping):
        return {_converted(key, inner[0]): _converted(one, inner[1]) for key, one in value.items()}
    if kind is str and isinstance(value, str | Path):
        return str(value)
    if kind in (int, float) and isinstance(value, Integral if kind is int else Real):
        if not isinstance(value, bool):
            return value if isinstance(value, int | float) else kind(value)
    elif origin is None and isinstance(value, kind):
        return value
    raise TypeError(f"{value!r} is no {kind}")


def _first_converted(value: Any, kinds: Sequence[Any]) -> Any:
    for kind in kinds[:-1]:
        try:
            return _converted(value, kind)
        except TypeError:
            continue
    return _converted(value, kinds[-1])


def plain(options: Any, without: Sequence[str] = ()) -> dict[str, Any]:
    """The options as plain data, but those of these dotted names."""
    return left_out(asdict(options), without)


def left_out(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A copy of nested plain data without these dotted names, wherever they are there."""
    copied = deepcopy(dict(values))
    for name in names:
        *groups, last = name.split(".")
        inside: Any = copied
        for group in groups:
            inside = inside.get(group, {}) if isinstance(inside, dict) else {}
        if isinstance(inside, dict):
            inside.pop(last, None)
    return copied


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Where two pieces of plain data differ, a few words each."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted(old.keys() | new.keys())
        inside = f"{where}." if where else ""
        return [line for key in keys for line in differences(old.get(key), new.get(key), f"{inside}{key}")]
    return [] if old == new else [f"{where} was {_short(old)} and is {_short(new)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
