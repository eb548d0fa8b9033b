"""How a robomimic dataset of robosuite names its environment, and how we do: there and back.

robomimic keeps `env_args` in a dataset: `env_name`, `type` 1 and the arguments of `robosuite.make` as
`env_kwargs`. What we add stands beside them under `s2robot`, where robomimic does not look: how frames were
rendered. A file without it was rendered by robosuite itself, with shadows and multisampling.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

ROBOSUITE_TYPE = 1  # robomimic.envs.env_base.EnvType.ROBOSUITE_TYPE
ROBOSUITE_LOOK = {"shadows": True, "samples": 4}
# Parts of the controllers of robosuite before 1.5, which named some of them otherwise.
FLAT_TYPES = ("OSC_POSE", "OSC_POSITION", "JOINT_POSITION", "JOINT_VELOCITY", "JOINT_TORQUE", "IK_POSE")
POSITIONAL = ("OSC_POSE", "OSC_POSITION", "JOINT_POSITION", "IK_POSE")  # those that can be absolute
FARTHEST = 10.0  # m and rad: no absolute goal is beyond


def is_installed() -> bool:
    """Whether the package robosuite is there (and not just a folder of that name)."""
    spec = importlib.util.find_spec("robosuite")
    return spec is not None and spec.origin is not None


def environment_of(env_args: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Id and arguments for `gymnasium.make` of a dataset's `env_args`, ours or robosuite's."""
    if env_args.get("type") != ROBOSUITE_TYPE:
        return env_args["env_name"], dict(env_args["env_kwargs"])
    kwargs = deepcopy(dict(env_args["env_kwargs"]))
    ours = {
        "image_size": [_first(kwargs.pop("camera_heights", 84)), _first(kwargs.pop("camera_widths", 84))],
        "cameras": _list(kwargs.pop("camera_names", "agentview")),
        "control_freq": kwargs.pop("control_freq", 20),
        "reward_type": "dense" if kwargs.pop("reward_shaping", False) else "sparse",
    }
    look = env_args.get("s2robot", ROBOSUITE_LOOK)
    return f"s2robot/robosuite-{env_args['env_name']}-v0", {**ours, **look, "env_kwargs": kwargs}


def to_env_args(env_id: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """robomimic's `env_args` of one of our environments made with `kwargs` (all of those named above)."""
    if not env_id.startswith("s2robot/robosuite-"):
        return {"env_name": env_id, "env_kwargs": dict(kwargs)}
    height, width = kwargs["image_size"]
    return {
        "env_name": env_id.removeprefix("s2robot/robosuite-").removesuffix("-v0"),
        "type": ROBOSUITE_TYPE,
        "env_kwargs": {
            **kwargs["env_kwargs"],
            "camera_names": list(kwargs["cameras"]),
            "camera_heights": height,
            "camera_widths": width,
            "control_freq": kwargs["control_freq"],
            "reward_shaping": kwargs["reward_type"] == "dense",
        },
        "s2robot": {"shadows": kwargs["shadows"], "samples": kwargs["samples"]},
    }


def with_absolute_actions(env_args: Mapping[str, Any]) -> dict[str, Any] | None:
    """`env_args` of the same environment that executes absolute poses; None where no controller is named.

    Goals stay in the frame of each controller (`input_ref_frame`), as `actions_abs` are recorded in it.
    """
    changed = deepcopy(dict(env_args))
    parts = list(_positional(changed["env_kwargs"].get("controller_configs")))
    for part in parts:
        part["control_delta"] = False  # read before robosuite 1.5, which ignores it
        part["input_type"] = "absolute"  # read since
        part["input_min"], part["input_max"] = -FARTHEST, FARTHEST  # else a step clips to [-1, 1]
    return changed if parts else None


def _positional(config: Any) -> Iterator[dict[str, Any]]:
    """Controllers of positions: one, one of each arm in a list, or the parts of a body."""
    if isinstance(config, dict) and config.get("type") in POSITIONAL:
        yield config
    for inside in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _positional(inside)


def current_controller(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A controller configuration as robosuite 1.5 takes it, from one of 1.5 or a flat one of before.

    Only the arm's part of a flat one is there; it is put into the whole of a one-armed robot. Before 1.5
    deltas were in the world frame, and the damping ratio was called `damping`.
    """
    if config is None or config.get("type") not in FLAT_TYPES:
        return None if config is None else deepcopy(dict(config))
    part = deepcopy(dict(config))
    for old, new in (("damping", "damping_ratio"), ("damping_limits", "damping_ratio_limits")):
        if old in part:
            part[new] = part.pop(old)
    part["input_type"] = "delta" if part.pop("control_delta", True) else "absolute"
    part.setdefault("input_ref_frame", "world")
    return {"type": "BASIC", "body_parts": {"right": {**part, "gripper": {"type": "GRIP"}}}}


def _list(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _first(size: int | list[int]) -> int:
    return size if isinstance(size, int) else size[0]
