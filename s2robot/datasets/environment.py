"""What robomimic's `env_args` say of the environment, and whether that is of use."""

from collections.abc import Iterator, Mapping
from typing import Any

TYPES = (1, 2)  # robomimic's EnvType that can be made here: robosuite, gym


def fault(env_args: Mapping[str, Any]) -> str:
    """Why no environment can be made of `env_args`, "" if one can where it is installed."""
    if not isinstance(env_args.get("env_name"), str) or not env_args["env_name"]:
        return "env_args has no env_name"
    if not isinstance(env_args.get("env_kwargs"), Mapping):
        return "env_args has no env_kwargs"
    if env_args.get("type", TYPES[-1]) not in TYPES:
        return f"env_args is of type {env_args['type']!r}, and only 1 (robosuite) and 2 (gym) can be made"
    if not isinstance(env_args.get("s2robot", {}), Mapping):
        return "env_args.s2robot is no JSON object"
    if problem := _cameras_fault(env_args["env_kwargs"]):
        return f"env_args.env_kwargs.{problem}"
    return ""


def _cameras_fault(kwargs: Mapping[str, Any]) -> str:
    """What is wrong with robosuite's arguments for cameras, "" if nothing is."""
    for name, of in (("camera_heights", int), ("camera_widths", int), ("camera_names", str)):
        value = kwargs.get(name, [of()])
        several = value if isinstance(value, list) else [value]
        if not several or not all(isinstance(one, of) for one in several):
            return f"{name} is {value!r}"
    return ""


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
