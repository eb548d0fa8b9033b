"""Paths on the command line: what Hydra's grammar has another meaning for is taken as it was typed.

In Hydra's grammar `=`, brackets, quotes, `#`, `~`, `!`, umlauts and more need quotes of their own, beside
those that the shell takes away: `"run_dir='lr=0.001'"`.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

# Options whose value is a path or a name of the user's.
PATHS = (
    "run_dir",
    "data.path",
    "checkpoint",
    "name",
    "init_from",
    "weights",
    "encoder.weights",
    "features.root",
)


def quoted_paths(overrides: Sequence[str]) -> list[str]:
    """The overrides with paths in Hydra's quotes where they need them, but for lists and sweeps."""
    parser = OverridesParser.create()
    return [_quoted_path(parser, text) for text in overrides]


def _quoted_path(parser: OverridesParser, text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals or key not in PATHS:
        return text
    try:
        parsed = parser.parse_override(text)
    except HydraException:
        if "," in value or _is_list(value):  # quoting it whole would make one path of several
            return text
        return f"{key}={quoted(value)}"
    # a number, or true, is no path; a sweep and null are meant
    return f"{key}={quoted(value)}" if isinstance(parsed.value(), int | float) else text


def quoted(value: str) -> str:
    """A value in Hydra's quotes. `${...}` in it is still replaced."""
    quote = '"' if "'" in value and '"' not in value else "'"
    return quote + value.replace(quote, "\\" + quote) + quote


def quoted_whole(override: str | None) -> str:
    """An override whose whole value is in Hydra's quotes."""
    key, _, value = (override or "").partition("=")
    return f"{key}={quoted(value)}"


def advice(override: str) -> str:
    """How what Hydra does not understand is typed in a shell to be taken as it is; "" if unclear."""
    key, _, value = override.partition("=")
    is_list = _is_list(value)
    if not value or (value[0] in "[{" and not is_list):
        return ""
    parts = ",".join(map(quoted, (value[1:-1] if is_list else value).split(",")))
    words = shlex.quote(f"{key}=[{parts}]" if is_list else f"{key}={parts}")
    return f"; special characters are quoted twice: {words}"


def _is_list(value: str) -> bool:
    return value.startswith("[") and value.endswith("]")


def expand_home(options: Any) -> None:
    """Replace a leading `~` in the options that are paths: a shell leaves it where `=` stands before it."""
    for name in PATHS:
        *groups, last = name.split(".")
        owner = options
        for group in groups:
            owner = getattr(owner, group, None)
        value = getattr(owner, last, None)
        if is_dataclass(value):  # `checkpoint` of training is a group
            continue
        if isinstance(value, str):
            setattr(owner, last, os.path.expanduser(value))
        elif isinstance(value, list):
            setattr(owner, last, [os.path.expanduser(one) if isinstance(one, str) else one for one in value])
