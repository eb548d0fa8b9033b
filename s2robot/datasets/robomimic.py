"""Demonstrations in robomimic's HDF5 format, opened for reading.

    data/                     attrs: env_args (JSON: env_name, env_kwargs, type), total
      demo_0/                 attrs: num_samples, seed (ours: the episode's reset seed)
        actions     (t, da)
        obs/<key>   (t, ...)  low-dimensional float, images uint8 (t, h, w, 3)
    mask/<filter>             names of the demonstrations in that split (train, valid, ...)

Format: https://robomimic.github.io/docs/datasets/overview.html
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, UInt8

from s2robot.errors import UserError, unknown_name
from s2robot.types import IMAGE_SUFFIX, image_key

PRIVILEGED = {"object", "object-state"}
VALID_EVERY = 10  # of the demonstrations, where the file says nothing


class Demos:
    """A robomimic HDF5 file; frames are numbered through all episodes in file order.

    Episodes are ordered by their number (`demo_2` before `demo_10`). Raises `UserError` in one line
    for a missing file, a file of another kind, a name that the file does not have, or frames that are not
    uint8 "t h w 3": those of the first episode when it is opened, those of the others when they are read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"no dataset at {self.path}; make one with `s2robot collect --out {self.path}`")
        if not h5py.is_hdf5(self.path):
            raise UserError(f"{self.path} is not an HDF5 file; a robomimic dataset (.hdf5) is wanted")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise UserError(f"{self.path} cannot be opened, it may be truncated: {error}") from error
        if "data" not in self._file or not len(self._file["data"]):
            raise UserError(
                f"{self.path} holds no demonstrations: robomimic's format keeps them under 'data/'"
            )
        self._data = self._file["data"]
        self.episodes: Sequence[str] = sorted(self._data, key=_episode_number)
        for name in self.episodes:
            if "actions" not in self._data[name] or "obs" not in self._data[name]:
                raise UserError(f"{self.path}: {name} lacks 'actions' or 'obs'; is this robomimic's format?")
        self.lengths: Sequence[int] = [len(self._data[name]["actions"]) for name in self.episodes]
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])  # first frame of each episode
        for camera in self.cameras:
            self._images(self.episodes[0], camera)

    @property
    def identity(self) -> str:
        status = self.path.stat()
        return f"{self.path.resolve()} {status.st_size} {status.st_mtime_ns}"

    @property
    def env_args(self) -> dict[str, Any]:
        """How the environment was made: `env_name` and `env_kwargs`."""
        if "env_args" not in self._data.attrs:
            raise UserError(f"{self.path} does not say its environment (attribute data.env_args)")
        return json.loads(self._data.attrs["env_args"])

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras with recorded images."""
        keys = sorted(self._data[self.episodes[0]]["obs"])
        return [key.removesuffix(IMAGE_SUFFIX) for key in keys if key.endswith(IMAGE_SUFFIX)]

    @property
    def seeds(self) -> set[int]:
        """Reset seeds of the episodes, where the file knows them."""
        attributes = (self._data[name].attrs for name in self.episodes)
        return {int(attrs["seed"]) for attrs in attributes if "seed" in attrs}

    def split(self, filter_key: str | None) -> list[int]:
        """Indices of the episodes under `mask/<filter_key>`, of all episodes for None."""
        if filter_key is None:
            return list(range(len(self.episodes)))
        masks = self._file.get("mask", {})
        if filter_key not in masks:
            raise unknown_name(f"filter key of {self.path}", filter_key, masks)
        names = {name.decode() for name in masks[filter_key][:]}
        return [i for i, name in enumerate(self.episodes) if name in names]

    def splits(self, train: str | None, valid: str | None) -> tuple[list[int], list[int]]:
        """Episodes to train and to validate on. A file without any masks has every tenth for validation."""
        if "mask" in self._file:
            return self.split(train), self.split(valid) if valid else []
        every = range(len(self.episodes))
        held_out = list(every[VALID_EVERY - 1 :: VALID_EVERY])
        return [i for i in every if i not in held_out], held_out

    def frames_of(self, episodes: Sequence[int]) -> np.ndarray:
        """Indices of all frames of these episodes."""
        return np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in episodes])

    def image_size(self, camera: str) -> tuple[int, int]:
        """Height and width of a camera's frames, in pixels."""
        shape = self._images(self.episodes[0], camera).shape
        return int(shape[1]), int(shape[2])

    def read_frames(self, episode: str, camera: str) -> UInt8[np.ndarray, "t h w 3"]:
        """All frames of one episode, decoded."""
        return self._images(episode, camera)[:]

    def proprioception(self, keys: Sequence[str]) -> dict[str, Float[np.ndarray, "n d"]]:
        """Observations of the robot itself; privileged state is refused."""
        if privileged := PRIVILEGED.intersection(keys):
            raise UserError(
                f"{', '.join(privileged)} is privileged state of the simulator, no input of a policy"
            )
        return {key: self.low_dim(key) for key in keys}

    def low_dim(self, key: str) -> Float[np.ndarray, "n d"]:
        """One low-dimensional observation over all frames of all episodes."""
        columns = []
        for episode in self.episodes:
            obs = self._data[episode]["obs"]
            if key not in obs:
                raise unknown_name(f"observation of {self.path} ({episode})", key, obs)
            columns.append(np.asarray(obs[key], dtype=np.float32).reshape(len(obs[key]), -1))
        return np.concatenate(columns)

    def actions(self) -> Float[np.ndarray, "n da"]:
        """Actions of all episodes, one a frame."""
        return np.concatenate([np.asarray(self._data[e]["actions"], dtype=np.float32) for e in self.episodes])

    def close(self) -> None:
        self._file.close()

    def _images(self, episode: str, camera: str) -> h5py.Dataset:
        obs = self._data[episode]["obs"]
        if image_key(camera) not in obs:
            raise unknown_name(f"camera of {self.path} ({episode})", camera, self.cameras)
        images = obs[image_key(camera)]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise UserError(
                f"{self.path}: {images.name} is {images.dtype} of shape {images.shape}; frames must be "
                f"uint8 of shape (t, h, w, 3){_how_to_mend(images)}"
            )
        return images


def _how_to_mend(images: h5py.Dataset) -> str:
    """What to do about frames that are not as they must be, where it can be guessed."""
    steps = []
    if images.ndim == 4 and images.shape[1] == 3 != images.shape[3]:
        steps.append("move the channels behind with .transpose(0, 2, 3, 1)")
    if images.dtype.kind == "f":
        steps.append("store 0 to 255 as uint8, not floats")
    return ": " + ", ".join(steps) if steps else ""


def _episode_number(name: str) -> int:
    digits = name.rpartition("_")[2]
    if not digits.isdigit():
        raise UserError(f"demonstration {name!r} is not named like robomimic's 'demo_0'")
    return int(digits)
