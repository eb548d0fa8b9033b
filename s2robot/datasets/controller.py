"""What robomimic's `env_args` say of how an environment is controlled."""

from collections.abc import Iterator, Mapping
from typing import Any


def is_absolute(env_args: Mapping[str, Any] | None) -> bool:
    """Whether a robosuite controller takes absolute poses: `control_delta` before 1.5, `input_type` since."""
    parts = _mappings((env_args or {}).get("env_kwargs"))
    return any(part.get("control_delta") is False or part.get("input_type") == "absolute" for part in parts)


def _mappings(value: object, deeper: int = 6) -> Iterator[Mapping[str, Any]]:
    """The mappings inside a mapping: one controller, one of each arm in a list, or parts of a body."""
    inside = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    if isinstance(value, Mapping):
        yield value
    for one in inside if deeper else ():
        yield from _mappings(one, deeper - 1)
