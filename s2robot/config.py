"""How options are declared: fields of a dataclass, each with its meaning; every package has its `options.py`.

A field made by `option` is the one definition of an option: Hydra composes it from YAML and the command line,
`--help` prints its meaning and default, and the program reads the dataclass. No `options.py` imports PyTorch,
so that help and a mistyped name cost no start-up time.
"""

from collections.abc import Sequence
from dataclasses import asdict, field
from functools import reduce
from operator import getitem
from typing import Any

from omegaconf import MISSING

from s2robot.errors import UserError

__all__ = ["MISSING", "at_least", "option", "plain"]


def option(default: Any, meaning: str, **metadata: Any) -> Any:
    """A field of an options dataclass: its default (lists and dictionaries are copied) and what it means.

    `meaning` is a short sentence with unit and choices, as `--help` shows it. `metadata` is kept beside it in
    the field's metadata; a package says which keys it uses.
    """
    metadata = {"meaning": meaning, **metadata}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def at_least(least: float, options: object, *names: str, group: str = "") -> None:
    """Raise `UserError` for the first of these options that is below `least`; `group` is its prefix."""
    for name in names:
        if not getattr(options, name) >= least:  # also for NaN
            raise UserError(f"{group}{name}={getattr(options, name)} must be at least {least}")


def plain(options: Any, without: Sequence[str] = ()) -> dict[str, Any]:
    """The options as plain data, but those of these dotted names."""
    values = asdict(options)
    for name in without:
        *groups, last = name.split(".")
        del reduce(getitem, groups, values)[last]
    return values
