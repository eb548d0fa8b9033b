"""Any dataset as a LeRobot one: which array becomes which feature, and what of it is lost.

actions                      action, float32
proprioception               observation.state, its parts side by side
each numeric observation     observation.<key>; the simulator's objects observation.environment_state
rewards, dones               next.reward, next.done
cameras                      observation.images.<camera>, upright
every other numeric array    extras, with seeds, masks, env_args and the simulator's models
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.lerobot.extras import EXTRA
from s2robot.datasets.lerobot.info import Feature
from s2robot.datasets.lerobot.stated import episode_name
from s2robot.datasets.lerobot.writer import LeRobotWriter
from s2robot.datasets.losses import losses
from s2robot.datasets.problem import Problem
from s2robot.datasets.stepwise import unfit
from s2robot.errors import UserError
from s2robot.progress import progress

ACTION, STATE, ENVIRONMENT = "action", "observation.state", "observation.environment_state"
EXECUTED = "actions_executed"
OBJECTS = ("object", "object-state")  # robosuite's names of the simulator's objects
OUTCOME = {"rewards": ("next.reward", "float32"), "dones": ("next.done", "bool")}
PIECE_ROWS = 64


@dataclass(frozen=True)
class Plan:
    """Which arrays become which features."""

    columns: Mapping[str, Sequence[str]]  # feature -> keys of the source, side by side
    cameras: Mapping[str, str]  # feature -> camera of the dataset
    features: Mapping[str, Feature]
    extras: Mapping[str, str]  # name -> key of the source
    unfit: Mapping[str, Sequence[Problem]]  # keys of the source that are left out


def plan_of(dataset: Dataset, lossless: bool) -> Plan:
    """The features of a dataset: of arrays that every episode has with the same shape."""
    keys = dataset.keys
    left_out = unfit(dataset)
    everywhere = {key for key, one in keys.arrays.items() if _is_everywhere(dataset, key) and not one.part_of}
    everywhere -= left_out.keys()
    columns: dict[str, list[str]] = {ACTION: list(dataset.action_keys.values())}
    if dataset.proprio_keys:
        columns[STATE] = list(dataset.proprio_keys.values())
    for short in keys.low_dim():
        key = keys.resolve(short) or short
        name = ENVIRONMENT if short in OBJECTS else _feature_name(short)
        if key in everywhere and name not in columns and "image" not in name:  # LeRobot's cameras
            columns[name] = [key]
    for key, (name, _) in OUTCOME.items():
        if key in everywhere:
            columns[name] = [key]
    features = {name: _feature(dataset, name, parts) for name, parts in columns.items()}
    kind = "image" if lossless else "video"
    cameras = {f"observation.images.{name.replace('/', '.')}": name for name in dataset.cameras}
    features |= {key: Feature(kind, (*dataset.image_size(name), 3)) for key, name in cameras.items()}
    used = {key for parts in columns.values() for key in parts}
    extras = {
        EXECUTED if key == dataset.source.executed_actions else key.removeprefix(EXTRA): key
        for key, one in keys.arrays.items()
        if one.kind == "numbers" and key not in {*used, *left_out} and not one.part_of
    }
    return Plan(columns, cameras, features, extras, left_out)


def convert(
    dataset: Dataset, out: Path, lossless: bool = False, fps: float | None = None, shown: bool = True
) -> list[str]:
    """Write a dataset as a LeRobot folder; what gets lost, a line each.

    `lossless` keeps pixels exact (PNG), else they are compressed as video. `fps` where the dataset does not
    say its rate. Raises `UserError` when there is none, and for what LeRobot cannot take.
    """
    rate = dataset.fps or fps
    if rate is None:
        raise UserError(f"{dataset.path} does not say how many steps a second it has; give --fps")
    plan = plan_of(dataset, lossless)
    robot = dataset.source.info.get("robot_type")
    with LeRobotWriter(out, plan.features, rate, robot if isinstance(robot, str) else None) as writer:
        numbers = range(len(dataset.records))
        for i in progress(numbers, description=f"writing {out.name} (episodes)") if shown else numbers:
            one = dataset.records[i]
            with writer.episode(_task(dataset, one), _extra(plan, one), _info(one)) as episode:
                for start in range(0, dataset.lengths[i], PIECE_ROWS):
                    stop = min(start + PIECE_ROWS, dataset.lengths[i])
                    episode.add(_rows(dataset, plan, one, start, stop))
        meta = {"env_args": dict(dataset.source.env_args)} if dataset.source.env_args else {}
        writer.finish(meta, _masks(dataset))
    return _losses(dataset, plan, lossless)


def _losses(dataset: Dataset, plan: Plan, lossless: bool) -> list[str]:
    """What of the dataset is not, or not exactly, in the LeRobot folder."""
    lost = []
    if plan.cameras and not lossless:
        lost.append("pixels are compressed (H.264) and give other features; --lossless keeps them exact")
    columns = {key for parts in plan.columns.values() for key in parts}
    lost += _narrowed(dataset, plan)
    lost += losses(dataset, {*columns, *plan.extras.values()}, columns, plan.unfit)
    if dataset.format != "lerobot":
        lost.append(
            "attributes other than env_args, seeds, models and outcomes, and next_obs where there is one, "
            "are left out"
        )
        if list(dataset.episodes) != [f"demo_{i}" for i in range(len(dataset.episodes))]:
            lost.append(
                f"names of demonstrations, such as {dataset.episodes[0]!r}, are left out: they are numbered"
            )
    return lost


def _narrowed(dataset: Dataset, plan: Plan) -> list[str]:
    """A line for each type whose numbers become less exact: float64, but also large integers."""
    narrowed: dict[str, set[str]] = {}
    for name, keys in plan.columns.items():
        new = np.dtype(plan.features[name].dtype)
        for key in keys:
            old = np.dtype(dataset.keys.arrays[key].dtype)
            if new.kind != "b" and not np.can_cast(old, new, "safe"):
                narrowed.setdefault(f"{old.name} becomes {new.name}", set()).add(key)
    return [f"{change}: {', '.join(sorted(keys))}" for change, keys in sorted(narrowed.items())]


def _rows(dataset: Dataset, plan: Plan, one: Episode, start: int, stop: int) -> dict[str, np.ndarray]:
    rows: dict[str, np.ndarray] = {}
    for name, keys in plan.columns.items():
        parts = [one.source.read(one.number, key, start, stop).reshape(stop - start, -1) for key in keys]
        joined = np.concatenate(parts, axis=1)
        rows[name] = joined != 0 if plan.features[name].dtype == "bool" else joined
    for name, camera in plan.cameras.items():
        rows[name] = dataset.read_frames(one.name, camera, start, stop)
    return rows


def _feature(dataset: Dataset, name: str, keys: Sequence[str]) -> Feature:
    widths = [dataset.width(key) for key in keys]
    dtypes = {np.dtype(dataset.keys.arrays[key].dtype) for key in keys}
    dtype = "float32"
    if name in dict(OUTCOME.values()):
        dtype = dict(OUTCOME.values())[name]
    elif name not in (ACTION, STATE) and all(one.kind in "iub" for one in dtypes):
        dtype = np.result_type(*dtypes).name
    names = [
        dataset.keys.short(key) if width == 1 else f"{dataset.keys.short(key)}[{i}]"
        for key, width in zip(keys, widths, strict=True)
        for i in range(width)
    ]
    return Feature(dtype, (sum(widths),), names if name == STATE else None)


def _feature_name(short: str) -> str:
    name = short.replace("/", ".")
    return name if name.startswith("observation.") else f"observation.{name}"


def _is_everywhere(dataset: Dataset, key: str) -> bool:
    """Whether every episode has the array, with equal rows of numbers, one for each action or one more."""
    shape = dataset.keys.arrays[key].shape
    found = [one.recorded.arrays.get(key) for one in dataset.records]
    return all(
        one is not None
        and one.kind == "numbers"
        and one.shape == shape
        and 0 <= one.rows - length <= 1
        and np.prod(shape)  # LeRobot has no feature of rows that hold nothing
        for one, length in zip(found, dataset.lengths, strict=True)
    )


def _extra(plan: Plan, one: Episode) -> dict[str, np.ndarray]:
    keys = {name: key for name, key in plan.extras.items() if key in one.recorded.arrays}
    return {name: one.source.read(one.number, key) for name, key in keys.items()}


def _task(dataset: Dataset, one: Episode) -> str:
    """The first task text of an episode, else the environment's name: LeRobot has no episode without."""
    if one.recorded.tasks:
        return one.recorded.tasks[0]
    return str((dataset.source.env_args or {}).get("env_name", ""))


def _info(one: Episode) -> dict[str, Any]:
    """What is known of an episode beside its arrays, as JSON takes it."""
    seed = {} if one.recorded.seed is None else {"seed": one.recorded.seed}
    return {"name": one.name, **{key: _plain(value) for key, value in one.recorded.info.items()}, **seed}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _masks(dataset: Dataset) -> dict[str, list[str]]:
    """The filter keys of all sources, with the names that the episodes get."""
    masks: dict[str, list[str]] = {}
    for i, one in enumerate(dataset.records):
        for mask, names in one.source.masks.items():
            members = masks.setdefault(mask, [])
            if one.recorded.name in names:
                members.append(episode_name(i))
    return masks
