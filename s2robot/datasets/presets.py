"""Families of datasets that share a format but not its names: their keys, which way up, what actions mean.

A preset is known by what the file says and by its keys. It gives defaults; options that are given win.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from s2robot.datasets.source import Source

ROBOSUITE = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos")
ROBOSUITE_TYPE = 1  # of env_args

POSE = ("x", "y", "z", "rx", "ry", "rz")
ARM = (*POSE, "gripper")
TWO_ARMS = tuple(f"robot{arm} {name}" for arm in (0, 1) for name in ARM)
ROBOSUITE_ACTIONS = {len(ARM): ARM, len(TWO_ARMS): TWO_ARMS}
ROBOCASA_ACTIONS = {len(ARM): ARM, 12: (*ARM, "base x", "base y", "base yaw", "torso", "base mode")}
JOINTS = ("waist", "shoulder", "elbow", "forearm roll", "wrist angle", "wrist rotate", "gripper")


@dataclass(frozen=True)
class Preset:
    """What is known of a family."""

    name: str
    known_by: Callable[[Source, Set[str]], bool]  # of the source and the keys of its first episode
    proprio: tuple[str, ...] = ()  # usual keys; () where the general rule does
    actions: tuple[str, ...] = ()  # where the format has no usual key
    camera_prefix: str = ""  # of the keys of cameras, no part of their names
    orientation: str = ""  # of stored frames; "" where nothing is known
    action_names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # of usual ones, by their width
    bounded: bool = False  # usual actions are in [-1, 1], unless they are absolute poses


def _libero(source: Source, keys: Set[str]) -> bool:
    says_so = "bddl_file_name" in source.info.get("attributes", ())
    return says_so or {"obs/agentview_rgb", "obs/ee_pos", "obs/gripper_states"} <= keys


def _robocasa(source: Source, keys: Set[str]) -> bool:
    return "obs/robot0_agentview_left_image" in keys and "obs/robot0_eef_pos" in keys


def _mimicgen(source: Source, keys: Set[str]) -> bool:
    return any(key.startswith("datagen_info/") for key in keys)


def _robosuite(source: Source, keys: Set[str]) -> bool:
    return (source.env_args or {}).get("type") == ROBOSUITE_TYPE and "obs/robot0_eef_pos" in keys


def _own(source: Source, keys: Set[str]) -> bool:
    return (
        str((source.env_args or {}).get("env_name")).startswith("s2robot/") and "obs/robot0_eef_pos" in keys
    )


def _aloha(source: Source, keys: Set[str]) -> bool:
    return "observations/qpos" in keys


def _openpi(source: Source, keys: Set[str]) -> bool:
    return source.format == "lerobot" and {"state", "actions"} <= keys


def _droid(source: Source, keys: Set[str]) -> bool:
    return any(key.startswith("observation/robot_state/") for key in keys)


PRESETS = (  # the first that knows a dataset is taken
    Preset(
        "LIBERO",
        _libero,
        proprio=("ee_pos", "ee_ori", "gripper_states"),
        orientation="flipped_rows",  # as OpenGL renders; `macros_image_convention` says otherwise
        action_names=ROBOSUITE_ACTIONS,
        bounded=True,
    ),
    Preset(
        "robocasa", _robocasa, ROBOSUITE, orientation="upright", action_names=ROBOCASA_ACTIONS, bounded=True
    ),
    Preset(
        "MimicGen", _mimicgen, ROBOSUITE, orientation="upright", action_names=ROBOSUITE_ACTIONS, bounded=True
    ),
    Preset(
        "robosuite",
        _robosuite,
        ROBOSUITE,
        orientation="upright",
        action_names=ROBOSUITE_ACTIONS,
        bounded=True,
    ),
    Preset("s2robot", _own, ROBOSUITE, orientation="upright", action_names=ROBOSUITE_ACTIONS),
    Preset(
        "ALOHA",
        _aloha,
        ("qpos",),
        camera_prefix="images/",
        orientation="upright",
        action_names={14: tuple(f"{side} {joint}" for side in ("left", "right") for joint in JOINTS)},
    ),
    Preset("openpi", _openpi, proprio=("state",)),
    Preset(
        "DROID",
        _droid,
        proprio=("robot_state/cartesian_position", "robot_state/gripper_position"),
        actions=("action/cartesian_position", "action/gripper_position"),
        camera_prefix="camera/image/",
        orientation="upright",
        action_names={len(POSE): POSE, 1: ("gripper",)},
    ),
)


def preset_of(source: Source) -> Preset | None:
    """The family of a dataset, None where it is not known."""
    keys = source.episodes[0].arrays.keys() if source.episodes else set()
    return next((preset for preset in PRESETS if preset.known_by(source, keys)), None)


def orientation(source: Source, preset: Preset | None) -> tuple[str, str]:
    """How a source's frames are stored, and who says so: its format, its family, or nobody ("")."""
    if source.upright is not None:
        return "upright" if source.upright else "flipped_rows", source.format
    if preset is None or not preset.orientation:
        return "upright", ""
    if source.info.get("macros_image_convention") == "opencv":
        return "upright", "its attribute macros_image_convention"
    return preset.orientation, preset.name
