"""Any dataset as a robomimic file: which array becomes which, and what of it is lost.

actions                      actions; several keys side by side. Others of this name become actions_recorded
cameras                      obs/<camera>_image, upright, compressed without loss
proprioception               obs/<its name>
other numeric observations   obs/<key without its group>; LeRobot's environment_state is obs/object
next.reward, next.done       rewards, dones
every other numeric array    under its own name beside the actions: states, executed actions, ...
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.hdf5_attributes import json_object
from s2robot.datasets.hdf5_output import new_hdf5
from s2robot.datasets.lerobot.extras import EXTRA
from s2robot.datasets.losses import losses
from s2robot.datasets.pieces import frames_in_pieces
from s2robot.datasets.problem import Problem
from s2robot.datasets.robomimic_writer import empty_frames, write_masks, write_totals
from s2robot.datasets.stepwise import is_stepwise, unfit, wrong_rows
from s2robot.progress import progress

OBS = "obs/"
KEPT_WHOLE = ("observation.state",)  # its usual name, by which training finds it
RENAMED = {
    "observation.environment_state": "obs/object",
    "next.reward": "rewards",
    "next.done": "dones",
}
ACTIONS, RECORDED = "actions", "actions_recorded"
EXECUTED, OUTCOME = "actions_executed", ("rewards", "dones")
OWN_NAME = re.compile(r"demo_\d+")


@dataclass(frozen=True)
class Plan:
    """Names in the robomimic file of the source's arrays."""

    arrays: Mapping[str, str]  # name -> key of the source
    cameras: Mapping[str, str]  # name -> camera of the dataset
    unfit: Mapping[str, Sequence[Problem]]  # keys of the source that are left out


def plan_of(dataset: Dataset) -> Plan:
    """The arrays that become one; of two with the same new name the second keeps its own."""
    arrays = {OBS + name.replace("/", "."): key for name, key in dataset.proprio_keys.items()}
    executed, left_out = dataset.source.executed_actions, unfit(dataset)
    if executed and executed not in left_out:
        arrays[EXECUTED] = executed
    taken = {*arrays.values(), *dataset.action_keys.values(), *left_out}
    for key, found in dataset.keys.arrays.items():
        if found.kind == "numbers" and key not in taken and not found.part_of:
            name = _name(dataset, key) if is_stepwise(dataset, key) else key.removeprefix(EXTRA)
            if name == ACTIONS:  # not those that are in use
                name = RECORDED
            arrays[name if name not in arrays else key] = key
    cameras = {f"{OBS}{name.replace('/', '.')}_image": name for name in dataset.cameras}
    return Plan(arrays, cameras, left_out)


def convert(dataset: Dataset, out: Path, shown: bool = True) -> list[str]:
    """Write a dataset as a robomimic file at `out`; what gets lost, a line each."""
    plan, names = plan_of(dataset), _names(dataset)
    with new_hdf5(out) as (file, check):
        data = file.create_group("data")
        numbers = range(len(dataset.records))
        for i in progress(numbers, description=f"writing {out.name} (episodes)") if shown else numbers:
            _write_episode(dataset, plan, i, data.create_group(names[i]), check)
        write_totals(data, dataset.env_args)
        if dataset.fps:
            data.attrs["fps"] = dataset.fps
        write_masks(file, _masks(dataset, names))
    return _losses(dataset, plan)


def _write_episode(
    dataset: Dataset, plan: Plan, index: int, demo: h5py.Group, check: Callable[[], None]
) -> None:
    one, length = dataset.records[index], dataset.lengths[index]
    demo.attrs["num_samples"] = length
    env_name = (dataset.env_args or {}).get("env_name")  # LeRobot has no episode without a task text
    for key, value in _attributes(one, [task for task in one.recorded.tasks if task != env_name]).items():
        demo.attrs[key] = value
    parts = [one.source.read(one.number, key, 0, length) for key in dataset.action_keys.values()]
    demo[ACTIONS] = np.concatenate([part.reshape(length, -1) for part in parts], axis=1)
    for name, key in plan.arrays.items():
        if key in one.recorded.arrays:
            demo[name] = _values(one, name, key, length)
    if "rewards" not in demo:
        demo["rewards"] = np.zeros(length)
    if "dones" not in demo:
        demo["dones"] = (np.arange(length) == length - 1).astype(np.int64)
    for name, camera in plan.cameras.items():
        frames = empty_frames(demo, name, length, (*dataset.image_size(camera), 3))
        start = 0
        for piece in frames_in_pieces(dataset, one.name, camera):
            frames[start : start + len(piece)] = piece
            start += len(piece)
            check()


def _losses(dataset: Dataset, plan: Plan) -> list[str]:
    columns = {key for name, key in plan.arrays.items() if name.startswith(OBS) or name in OUTCOME}
    actions = dataset.action_keys.values()
    lost = losses(dataset, {*plan.arrays.values(), *actions}, {*columns, *actions}, plan.unfit)
    absent = [name for name in OUTCOME if name not in plan.arrays]
    if absent:
        lost.append(f"{' and '.join(absent)} are not known: rewards are 0, dones are 1 in the last step")
    if dataset.format == "lerobot":
        lost.append("time stamps: row i is at i / fps")
    return lost


def _name(dataset: Dataset, key: str) -> str:
    """The name in the robomimic file of a numeric array that is neither actions nor proprioception."""
    if key in RENAMED:
        return RENAMED[key]
    if key in KEPT_WHOLE:
        return OBS + key
    if key.startswith((EXTRA, "next.")):
        return key.removeprefix(EXTRA)
    if dataset.format == "lerobot":
        return OBS + key.removeprefix("observation.")
    group = dataset.source.observations
    return OBS + key.removeprefix(group) if key.startswith(group) else key


def _names(dataset: Dataset) -> list[str]:
    """Names of the demonstrations: those they once had, else `demo_0` and on."""
    once = [str(one.recorded.info.get("name", one.recorded.name)) for one in dataset.records]
    if len(set(once)) == len(once) and all(OWN_NAME.fullmatch(name) for name in once):
        return once
    return [f"demo_{i}" for i in range(len(once))]


def _masks(dataset: Dataset, names: list[str]) -> dict[str, list[str]]:
    """The filter keys of all sources, with the names that the episodes get."""
    new = {
        (id(one.source), one.recorded.name): name for one, name in zip(dataset.records, names, strict=True)
    }
    masks: dict[str, list[str]] = {}
    for source in dataset.sources:
        for key, members in source.masks.items():
            known = [new[id(source), name] for name in members if (id(source), name) in new]
            masks.setdefault(key, []).extend(known)
    return masks


def _attributes(one: Episode, tasks: Sequence[str]) -> dict[str, Any]:
    """Attributes of a demonstration: what its file says of it, its seed, and its task as robomimic has it."""
    plain = (str, bytes, int, float, np.generic)
    info = {key: value for key, value in one.recorded.info.items() if isinstance(value, plain)}
    info = {key: value for key, value in info.items() if key not in ("num_samples", "name")}
    if one.recorded.seed is not None:
        info["seed"] = one.recorded.seed
    if tasks:
        info["ep_meta"] = json.dumps({"lang": tasks[0], **(json_object(info.get("ep_meta")) or {})})
    return info


def _values(one: Episode, name: str, key: str, length: int) -> np.ndarray:
    """An array as robomimic has it: observations are vectors, rewards and dones numbers."""
    values = one.source.read(one.number, key)
    if name.startswith(OBS) and not wrong_rows(len(values), length):  # else it is of another rate
        return values[:length].reshape(length, -1)
    if name in OUTCOME:
        values = values[:length].reshape(length)
    return values.astype(np.int64) if name == "dones" else values
