"""Demonstrations in robomimic's HDF5 format, and its relatives: MimicGen, robocasa, LIBERO, ours.

    data/                     attrs: env_args (JSON: env_name, env_kwargs, type), total
      demo_0/                 attrs: num_samples, seed (ours: the episode's reset seed), ep_meta (JSON: lang)
        actions     (t, da)   imitated; actions_abs, action_dict/<key> and actions_executed (ours) beside
        obs/<key>   (t, ...)  low-dimensional float, images uint8 (t, h, w, 3)
    mask/<filter>             names of the demonstrations in that split (train, valid, ...)

Format: https://robomimic.github.io/docs/datasets/overview.html
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from s2robot.datasets import hdf5, hdf5_arrays
from s2robot.datasets.hdf5_attributes import json_object, text
from s2robot.datasets.hdf5_source import Hdf5Source
from s2robot.datasets.natural import natural
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import SourceEpisode
from s2robot.errors import UserError

OBS = "obs/"
SKIPPED = ("next_obs",)  # the observations again, one step later
EPISODE_INFO = ("model_file", "ep_meta", "success", "num_samples")  # carried along by a conversion


class Robomimic(Hdf5Source):
    """One file of robomimic's format; a `Source`.

    Raises `UserError` in one line for a missing file and a file of another kind or without demonstrations. A
    demonstration that is a link to nowhere, or to a file that must not be read, is one of its `errors`.
    """

    format, version = "robomimic", ""
    observations, actions = OBS, "actions"
    upright: bool | None = None  # robomimic stores the top row first, LIBERO does not: see presets

    def __init__(self, path: Path, options: DataConfig) -> None:
        self.path = Path(path)
        self._file = hdf5.open_hdf5(self.path)
        data = self._file.get("data")
        if not isinstance(data, h5py.Group) or not len(data):
            raise UserError(
                f"{self.path} holds no demonstrations: robomimic's format keeps them under 'data/'"
            )
        self.attributes: Mapping[str, Any] = dict(data.attrs)
        self.folders = hdf5.Folders(self.path, options.allow_links or ())
        found = {name: self._demo(data, name) for name in sorted(data, key=natural)}
        self._demos = {name: demo for name, demo in found.items() if isinstance(demo, h5py.Group)}
        self.errors = [
            Problem(demo, str(self.path), name) for name, demo in found.items() if isinstance(demo, str)
        ]
        self.info = {"attributes": sorted(data.attrs)} | {
            key: text(data.attrs[key]) for key in ("macros_image_convention", "env_name") if key in data.attrs
        }
        self.env_args, self.env_problem = _env_args(data)
        self.masks: Mapping[str, Sequence[str]] = self._masks()
        tasks = _file_tasks(data, self.env_args)
        self.episodes: Sequence[SourceEpisode] = [
            self._episode(name, demo, tasks) for name, demo in self._demos.items()
        ]
        self.warnings = [problem for one in self.episodes if (problem := _miscounted(one))]
        executed = all("actions_executed" in episode.arrays for episode in self.episodes)
        self.executed_actions = "actions_executed" if executed else None

    @staticmethod
    def found(path: Path) -> list[Path]:
        """See `Format`: HDF5 files with a group `data`."""
        return hdf5.files_with(path, ("data",))

    @property
    def fps(self) -> float | None:
        """The environment's control frequency, else the attribute that a conversion wrote."""
        kwargs = (self.env_args or {}).get("env_kwargs")
        frequency = kwargs.get("control_freq") if isinstance(kwargs, dict) else None
        if frequency is None and isinstance(self.attributes.get("fps"), int | float):
            frequency = self.attributes["fps"]
        return float(frequency) if isinstance(frequency, int | float) and frequency > 0 else None

    def close(self) -> None:
        self._demos.clear()  # links keep the files open in which they end
        self._file.close()

    def _array(self, episode: int, key: str) -> h5py.Dataset:
        return self.group(episode)[key]

    def group(self, episode: int) -> h5py.Group:
        """A demonstration as it is in the file, links of the demonstration itself resolved."""
        return self._demos[self.episodes[episode].name]

    def _masks(self) -> dict[str, list[str]]:
        """Names of the demonstrations under each filter key."""
        group = self._file.get("mask")
        if not isinstance(group, h5py.Group):
            return {}
        masks = {key: hdf5.member(group, key, self.folders) for key in group}
        return {
            key: [text(name) for name in np.ravel(names[()])]
            for key, names in masks.items()
            if isinstance(names, h5py.Dataset)
        }

    def _demo(self, data: h5py.Group, name: str) -> h5py.Group | str:
        """The group of a demonstration, or why it is none."""
        demo = hdf5.member(data, name, self.folders)
        if isinstance(demo, str):
            return demo
        if not isinstance(demo, h5py.Group) or "actions" not in demo:
            return "it lacks 'actions'; is this robomimic's format?"
        if "obs" not in demo:
            return "it lacks 'obs', the observations; robomimic's dataset_states_to_obs.py makes them"
        return demo

    def _episode(self, name: str, demo: h5py.Group, tasks: tuple[str, ...]) -> SourceEpisode:
        found = hdf5.arrays(demo, self.folders, SKIPPED)
        attributes = demo.attrs
        lang = (json_object(attributes.get("ep_meta")) or {}).get("lang")
        return SourceEpisode(
            name=name,
            file=Path(demo.file.filename),
            arrays={key: hdf5_arrays.declare(array) for key, array in found},
            seed=int(attributes["seed"]) if "seed" in attributes else None,
            tasks=(lang,) if isinstance(lang, str) and lang else tasks,
            info={key: attributes[key] for key in EPISODE_INFO if key in attributes},
        )


def _miscounted(episode: SourceEpisode) -> Problem | None:
    """A warning when a demonstration has another number of actions than it says."""
    said, rows = episode.info.get("num_samples"), episode.arrays["actions"].rows
    if said is None or said == rows:
        return None
    problem = f"found {rows} rows, and its attribute num_samples says {said}; {rows} are used"
    return Problem(problem, str(episode.file), episode.name, "actions")


def _env_args(data: h5py.Group) -> tuple[dict[str, Any] | None, str]:
    """The attribute `env_args`, and why it is of no use where it is there."""
    if "env_args" not in data.attrs:
        return None, ""
    env_args = json_object(data.attrs["env_args"])
    if env_args is None:
        return None, f"env_args is no JSON object: {text(data.attrs['env_args'])[:40]!r}"
    return env_args, ""


def _file_tasks(data: h5py.Group, env_args: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The task text that a file has for all its demonstrations, from LIBERO's attribute or env_args."""
    problem = json_object(data.attrs.get("problem_info")) or {}
    said = (
        problem.get("language_instruction")
        or (env_args or {}).get("lang")
        or (env_args or {}).get("env_lang")
    )
    if isinstance(said, list):
        said = " ".join(map(str, said))
    return (said,) if isinstance(said, str) and said else ()
