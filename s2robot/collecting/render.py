"""Image observations of a dataset, rendered from its states: another size, other cameras.

Works for what `s2robot collect` writes and for robomimic's datasets of robosuite. Everything else in the
file is copied; images that were there are left out. Each demonstration is written to a file of its own in
`<out>.parts/`, so that a killed run goes on where it stopped; the new file appears when it is complete.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium
import h5py
import numpy as np

import envs
from envs.robosuite import ROBOSUITE_TYPE, to_env_args
from envs.robosuite.frames import StoredScene
from s2robot.collecting.parts import claimed, kept_parts, part_path
from s2robot.collecting.writer import copy_parts
from s2robot.datasets.environment import fault
from s2robot.datasets.hdf5_output import new_hdf5
from s2robot.datasets.robomimic_writer import write_obs
from s2robot.errors import UserError, unknown_name
from s2robot.files import replacing
from s2robot.progress import progress
from s2robot.rollouts.chosen_by_file import check_chosen
from s2robot.rollouts.resolving import environment_of
from s2robot.types import IMAGE_SUFFIX, image_key

OBSERVATIONS = ("obs", "next_obs")


@runtime_checkable
class Scene(Protocol):
    """A scene that renders the states of a demonstration."""

    cameras: tuple[str, ...]

    def render(self, state: np.ndarray, cameras: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Frames (h, w, 3), uint8, one a camera."""

    def close(self) -> None: ...


class TaskScene:
    """One of our own tasks: its scene is made by its arguments and the same in all demonstrations."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any], size: tuple[int, int]) -> None:
        everything = {**env_kwargs, "image_size": list(size), "cameras": None}
        env: Any = gymnasium.make(env_id, disable_env_checker=True, **everything)
        self._env = env.unwrapped
        self.cameras = tuple(self._env.camera_names)

    def render(self, state: np.ndarray, cameras: tuple[str, ...]) -> dict[str, np.ndarray]:
        self._env.set_state(state)
        seen = self._env.observe(cameras)
        return {camera: seen[image_key(camera)] for camera in cameras}

    def close(self) -> None:
        self._env.close()


def render(data: Path, out: Path, size: tuple[int, int], cameras: Sequence[str] | None = None) -> int:
    """Write `out`: `data` with frames (h, w) of `cameras` (None: those it has); returns the number of frames.

    Raises `UserError` for a file without states, an unknown camera or environment, `out` that is there, or
    the parts of a killed run with other settings.
    """
    if out.resolve() == data.resolve():
        raise UserError(f"--out {out} is the dataset itself; its images cannot be replaced in place")
    if out.exists():
        raise UserError(f"{out} exists; delete it or change --out")
    if not h5py.is_hdf5(data):
        raise UserError(f"{data} does not exist or is no HDF5 file; it must be a robomimic dataset (.hdf5)")
    if min(size) < 1:
        raise UserError(f"--size {size[0]} {size[1]}: frames have at least one pixel")
    with h5py.File(data, "r") as source:
        env_args, demos = _read(source, data)
        env_id, env_kwargs = environment_of(env_args)
        if env_id not in envs.KNOWN:
            raise unknown_name(f"environment of {data}", env_id, envs.KNOWN)
        check_chosen(data, env_id, env_kwargs)
        chosen = tuple(cameras if cameras is not None else env_kwargs.get("cameras") or ())
        if not chosen:
            raise UserError(f"{data} names no camera; give --cameras")
        info = data.stat()
        file_id = [str(data.resolve()), info.st_size, info.st_mtime_ns]
        settings = {"data": file_id, "size": list(size), "cameras": list(chosen)}
        with claimed(out, json.dumps(settings)) as parts:
            if out.exists():
                raise UserError(f"{out} exists; delete it or change --out")
            frames = _render_parts(source, parts, demos, chosen, size, env_args)
            env_kwargs |= {"image_size": list(size), "cameras": list(chosen)}
            with replacing(out, parts) as scratch:
                _join(source, parts, demos, scratch, {**env_args, **to_env_args(env_id, env_kwargs)})
    return frames


def _read(source: h5py.File, path: Path) -> tuple[dict[str, Any], list[str]]:
    """The file's `env_args` and the names of its demonstrations."""
    if "data" not in source or "env_args" not in source["data"].attrs:
        raise UserError(f"{path} does not name its environment (attribute data.env_args)")
    try:
        env_args = json.loads(source["data"].attrs["env_args"])
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: attribute data.env_args is not JSON: {error}") from error
    if problem := fault(env_args) if isinstance(env_args, dict) else "it is no JSON object":
        raise UserError(f"{path}: attribute data.env_args: {problem}")
    demos = sorted(source["data"], key=_in_order)
    for name in demos:
        if "states" not in source["data"][name]:
            raise UserError(f"{path}: {name} has no states, so there is nothing to render from")
    return env_args, demos


def _in_order(name: str) -> tuple[int, str]:
    """`demo_2` comes before `demo_10`; names without a number come first."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -1, name


def _render_parts(
    source: h5py.File,
    parts: Path,
    demos: list[str],
    cameras: tuple[str, ...],
    size: tuple[int, int],
    env_args: dict[str, Any],
) -> int:
    """Write the part of each demonstration that has none yet; returns the number of frames of all."""
    frames, there = 0, kept_parts(parts)
    for name in progress(demos, description="render"):
        frames += len(source["data"][name]["states"]) * len(cameras)
        if name in there:
            continue
        with replacing(part_path(parts, name)) as scratch, new_hdf5(scratch) as (file, _):
            demo = file.create_group("demo")
            _copy_but_images(source["data"][name], demo)
            _add_frames(demo, f"{source.filename}: {name}", cameras, size, env_args)
    return frames


def _add_frames(
    demo: h5py.Group, where: str, cameras: tuple[str, ...], size: tuple[int, int], env_args: dict[str, Any]
) -> None:
    states = demo["states"][:]
    with closing(scene_of(demo.attrs.get("model_file"), where, env_args, size)) as scene:
        for camera in cameras:
            if camera not in scene.cameras:
                raise unknown_name("camera", camera, scene.cameras)
        try:
            seen = [scene.render(state, cameras) for state in states]
        except ValueError as error:
            raise UserError(f"{where}: {error}") from error
    for camera in cameras:
        write_obs(demo.require_group("obs"), image_key(camera), np.stack([one[camera] for one in seen]))


def _join(source: h5py.File, parts: Path, demos: list[str], out: Path, env_args: dict[str, Any]) -> None:
    """Put the parts into one file, with the attributes and masks of the dataset."""
    with new_hdf5(out) as (file, _):
        data = file.create_group("data")
        data.attrs.update({key: value for key, value in source["data"].attrs.items() if key != "collection"})
        data.attrs["env_args"] = json.dumps(env_args)
        if "mask" in source:
            source.copy("mask", file)
        copy_parts({name: part_path(parts, name) for name in demos}, data)


def scene_of(model: str | None, where: str, env_args: dict[str, Any], size: tuple[int, int]) -> Scene:
    """The scene of a demonstration's states; `model` is its `model_file`, which only robosuite's need.

    Raises `UserError` naming the demonstration (`where`) for a scene that is not there or cannot be loaded.
    """
    env_id, env_kwargs = environment_of(env_args)
    if env_args.get("type") != ROBOSUITE_TYPE:
        return TaskScene(env_id, env_kwargs, size)
    if model is None:
        raise UserError(f"{where} has no model_file, the scene of its states")
    try:
        return StoredScene(model, size, env_kwargs["shadows"], env_kwargs["samples"])
    except ValueError as error:  # a mesh that this robosuite no longer has
        raise UserError(f"{where}: its scene cannot be loaded: {error}") from error


def _copy_but_images(source: h5py.Group, target: h5py.Group) -> None:
    target.attrs.update(source.attrs)
    for key, node in source.items():
        if key not in OBSERVATIONS:
            source.copy(node, target, name=key)
            continue
        for name, values in node.items():
            if not name.endswith(IMAGE_SUFFIX):
                source.copy(values, target.require_group(key), name=name)
