"""Image observations of a dataset, rendered anew from its states: another size, other cameras.

Works for what `s2robot collect` writes and for robomimic's datasets of robosuite. Everything else in the
file is copied; images that were there are left out. The new file appears under its name when it is complete.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import h5py
import numpy as np

import envs
from envs.robosuite import ROBOSUITE_TYPE, environment_of, to_env_args
from envs.robosuite.env import MISSING
from envs.robosuite.frames import StoredScene
from s2robot.data.writer import write_obs
from s2robot.environment import is_installed
from s2robot.errors import UserError, unknown_name
from s2robot.progress import progress
from s2robot.types import IMAGE_SUFFIX, image_key

OBSERVATIONS = ("obs", "next_obs")


class Scene(Protocol):
    """Something that states of a demonstration can be shown in."""

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

    Raises `UserError` for a file without states, an unknown camera or environment, or `out` that is there.
    """
    if out.resolve() == data.resolve():
        raise UserError(f"--out {out} is the dataset itself; its images cannot be replaced in place")
    if out.exists():
        raise UserError(f"{out} exists; delete it or change --out")
    if not h5py.is_hdf5(data):
        raise UserError(f"{data} is not there or not an HDF5 file; a robomimic dataset (.hdf5) is wanted")
    if min(size) < 1:
        raise UserError(f"--size {size[0]} {size[1]}: frames have at least one pixel")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".tmp")
    with h5py.File(data, "r") as source:
        env_args, demos = _read(source, data)
        env_id, env_kwargs = environment_of(env_args)
        if env_id not in envs.KNOWN:
            raise unknown_name(f"environment of {data}", env_id, envs.KNOWN)
        if not is_installed(env_id):
            raise UserError(MISSING)
        chosen = tuple(cameras if cameras is not None else env_kwargs.get("cameras") or ())
        if not chosen:
            raise UserError(f"{data} names no camera; say which with --cameras")
        try:
            with h5py.File(partial, "w") as file:
                frames = _write(source, file, demos, chosen, size, env_args)
                env_kwargs |= {"image_size": list(size), "cameras": list(chosen)}
                told = {**env_args, **to_env_args(env_id, env_kwargs)}
                file["data"].attrs["env_args"] = json.dumps(told)
            os.replace(partial, out)
        finally:
            partial.unlink(missing_ok=True)
    return frames


def _read(source: h5py.File, path: Path) -> tuple[dict[str, Any], list[str]]:
    """The file's `env_args` and the names of its demonstrations."""
    if "data" not in source or "env_args" not in source["data"].attrs:
        raise UserError(f"{path} does not say its environment (attribute data.env_args)")
    demos = sorted(source["data"], key=lambda name: int(name.rpartition("_")[2]))
    for name in demos:
        if "states" not in source["data"][name]:
            raise UserError(f"{path}: {name} has no states, so there is nothing to render from")
    return json.loads(source["data"].attrs["env_args"]), demos


def _write(
    source: h5py.File,
    file: h5py.File,
    demos: list[str],
    cameras: tuple[str, ...],
    size: tuple[int, int],
    env_args: dict[str, Any],
) -> int:
    data = file.create_group("data")
    data.attrs.update({key: value for key, value in source["data"].attrs.items() if key != "collection"})
    if "mask" in source:
        source.copy("mask", file)
    frames = 0
    for name in progress(demos, description="render"):
        demo = data.create_group(name)
        _copy_but_images(source["data"][name], demo)
        states = demo["states"][:]
        with closing(_scene(demo, env_args, size)) as scene:
            for camera in cameras:
                if camera not in scene.cameras:
                    raise unknown_name("camera", camera, scene.cameras)
            try:
                seen = [scene.render(state, cameras) for state in states]
            except ValueError as error:
                raise UserError(f"{source.filename}: {name}: {error}") from error
        for camera in cameras:
            write_obs(demo.require_group("obs"), image_key(camera), np.stack([one[camera] for one in seen]))
        frames += len(states) * len(cameras)
    return frames


def _scene(demo: h5py.Group, env_args: dict[str, Any], size: tuple[int, int]) -> Scene:
    env_id, env_kwargs = environment_of(env_args)
    if env_args.get("type") != ROBOSUITE_TYPE:
        return TaskScene(env_id, env_kwargs, size)
    if "model_file" not in demo.attrs:
        raise UserError(f"{demo.file.filename}: {demo.name} has no model_file, the scene of its states")
    try:
        return StoredScene(demo.attrs["model_file"], size, env_kwargs["shadows"], env_kwargs["samples"])
    except ValueError as error:  # a mesh that this robosuite no longer has
        raise UserError(f"{demo.name}: its scene cannot be loaded: {error}") from error


def _copy_but_images(source: h5py.Group, target: h5py.Group) -> None:
    target.attrs.update(source.attrs)
    for key, node in source.items():
        if key not in OBSERVATIONS:
            source.copy(node, target, name=key)
            continue
        for name, values in node.items():
            if not name.endswith(IMAGE_SUFFIX):
                source.copy(values, target.require_group(key), name=name)
