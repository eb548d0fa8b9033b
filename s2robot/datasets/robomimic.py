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

from s2robot.datasets import hdf5, hdf5_arrays, hdf5_files
from s2robot.datasets.hdf5_attributes import frequency, json_object, shown, single, text, whole_number
from s2robot.datasets.hdf5_files import SHOWN, members, readable
from s2robot.datasets.hdf5_links import Folders
from s2robot.datasets.hdf5_source import Hdf5Source
from s2robot.datasets.natural import natural
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.datasets.robomimic_masks import masks_of
from s2robot.datasets.source import Recorded, SourceEpisode
from s2robot.errors import UserError

OBS = "obs/"
TASK = ("language_instruction", "language", "lang", "task")  # attributes that recorders keep a task text in
SKIPPED = ("next_obs",)  # the observations again, one step later
EPISODE_INFO = ("model_file", "ep_meta", "success", "num_samples")  # carried along by a conversion


class Robomimic(Hdf5Source):
    """One file of robomimic's format; a `Source`.

    Raises `UserError` in one line for a missing file and a file of another kind or without demonstrations. A
    demonstration that is a link to nowhere, or to a file that must not be read, is one of its `errors`.
    """

    format, version = "robomimic", ""
    observations = OBS
    actions: str | None = "actions"
    upright: bool | None = None  # robomimic stores the top row first, LIBERO does not: see presets

    def __init__(self, path: Path, options: DataConfig) -> None:
        self.path = Path(path)
        self._file = hdf5_files.open_hdf5(self.path)
        self.folders = Folders(self.path, options.allow_links or ())
        self._actions_named = options.actions is not None
        with readable(self.path):
            self._read_metadata()

    def _read_metadata(self) -> None:
        data = self._data()
        self.attributes: Mapping[str, Any] = dict(data.attrs)
        found = {name: self._demo(data, name) for name in sorted(data, key=natural)}
        others = [name for name, demo in found.items() if demo is None]
        if len(others) == len(found):
            raise UserError(
                f"{self.path} holds no demonstrations: in data/ neither {others[0]} nor another of "
                f"{len(others)} members has actions or obs; is this robomimic's format?"
            )
        self._demos = {name: demo for name, demo in found.items() if isinstance(demo, h5py.Group)}
        self.errors = [
            Problem(demo, str(self.path), name) for name, demo in found.items() if isinstance(demo, str)
        ]
        self.info = {"attributes": sorted(data.attrs)} | {
            key: text(data.attrs[key]) for key in ("macros_image_convention", "env_name") if key in data.attrs
        }
        self.env_args, self.env_problem = _env_args(data)
        self.masks: Mapping[str, Sequence[str]]
        self.masks, faulty = masks_of(self._file, self.folders)
        self.errors += [Problem(problem, str(self.path), key=key) for key, problem in faulty.items()]
        self.fps, problem = _fps(self.env_args, self.attributes)
        self.warnings = [Problem(problem, str(self.path))] if problem else []
        if others:
            told = f"left alone, as they have neither actions nor obs: {', '.join(others[:SHOWN])}"
            more = f", ... ({len(others)})" if len(others) > SHOWN else ""
            self.warnings.append(Problem(told + more, str(self.path), key="data"))
        tasks = _file_tasks(data, self.env_args)
        self.episodes: Sequence[SourceEpisode] = [
            self._episode(name, demo, tasks) for name, demo in self._demos.items()
        ]
        if not any("actions" in episode.arrays for episode in self.episodes):
            self.actions = None  # the options name others
        executed = all("actions_executed" in episode.arrays for episode in self.episodes)
        self.executed_actions = "actions_executed" if executed else None

    @staticmethod
    def found(path: Path) -> list[Path]:
        """See `Format`: HDF5 files with a group `data`."""
        return hdf5_files.files_with(path, ("data",))

    def _data(self) -> h5py.Group:
        data = hdf5.member(self._file, "data", self.folders) if "data" in self._file else None
        if isinstance(data, str):
            raise UserError(f"{self.path}: data: {data}")
        if isinstance(data, h5py.Group) and not len(data):
            raise UserError(f"{self.path} holds no demonstrations: its group 'data' is empty")
        if not isinstance(data, h5py.Group):
            raise UserError(
                f"{self.path} holds no demonstrations: robomimic's format keeps them under 'data/', "
                f"at its root it has {members(self._file)}"
            )
        return data

    def close(self) -> None:
        self._demos.clear()  # links keep the files open in which they end
        self._file.close()

    def group(self, episode: int) -> h5py.Group:
        """See `Hdf5Source`: a demonstration as it is in the file."""
        return self._demos[self.episodes[episode].name]

    def _demo(self, data: h5py.Group, name: str) -> h5py.Group | str | None:
        """The group of a demonstration, or why it cannot be used; None for what is none."""
        demo = hdf5.member(data, name, self.folders)
        if isinstance(demo, str):
            return demo
        if not isinstance(demo, h5py.Group) or not ("actions" in demo or "obs" in demo):
            return None
        if "actions" not in demo and not self._actions_named:
            return f"it lacks 'actions'; it has {members(demo)}: data.actions=[KEY] names another array"
        if "obs" not in demo:
            made = "; robomimic's dataset_states_to_obs.py makes them from states" if "states" in demo else ""
            return f"it lacks the group 'obs' of observations; it has {members(demo)}{made}"
        if isinstance(obs := hdf5.member(demo, "obs", self.folders), str):
            return f"its group obs: {obs}"
        return demo

    def _episode(self, name: str, demo: h5py.Group, tasks: tuple[str, ...]) -> SourceEpisode:
        with readable(self.path, name):
            found = hdf5.arrays(demo, self.folders, SKIPPED)
            arrays = {key: hdf5_arrays.declare(array) for key, array in found}
            attributes = dict(demo.attrs)
        for key, problem in _contradictions(attributes, arrays).items():
            self.warnings.append(Problem(problem, demo.file.filename, name, key))
        lang = (json_object(attributes.get("ep_meta")) or {}).get("lang") or _task(attributes)
        return SourceEpisode(
            name=name,
            file=Path(demo.file.filename),
            arrays=arrays,
            seed=whole_number(attributes.get("seed")),
            tasks=(lang,) if isinstance(lang, str) and lang else tasks,
            info={key: attributes[key] for key in EPISODE_INFO if key in attributes},
        )


def _contradictions(attributes: Mapping[str, Any], arrays: Mapping[str, Recorded]) -> dict[str, str]:
    """What is unusual in a demonstration's attributes, by the key that it is about."""
    found = {}
    if "seed" in attributes and whole_number(attributes["seed"]) is None:
        found[""] = f"its attribute seed is {shown(attributes['seed'])}, no whole number, and is not used"
    if "num_samples" in attributes and "actions" in arrays:
        said, rows = attributes["num_samples"], arrays["actions"].rows
        if whole_number(said) != rows:
            found["actions"] = (
                f"found {rows} rows, and its attribute num_samples says {shown(said)}; {rows} are used"
            )
    return found


def _fps(env_args: Mapping[str, Any] | None, attributes: Mapping[str, Any]) -> tuple[float | None, str]:
    """The environment's control frequency, else the attribute that a conversion wrote; and what is wrong."""
    kwargs = (env_args or {}).get("env_kwargs")
    said, where = (
        (kwargs.get("control_freq") if isinstance(kwargs, dict) else None),
        "control_freq of env_args",
    )
    if said is None:
        said, where = attributes.get("fps"), "its attribute fps"
    found = frequency(said)
    wrong = said is not None and found is None
    return found, f"{where} is {shown(said)}, no frequency in Hz, and is not used" if wrong else ""


def _env_args(data: h5py.Group) -> tuple[dict[str, Any] | None, str]:
    """The attribute `env_args`, and why it is of no use where it is there."""
    if "env_args" not in data.attrs:
        return None, ""
    env_args = json_object(data.attrs["env_args"])
    if env_args is None:
        return None, f"env_args is no JSON object: {text(data.attrs['env_args'])[:40]!r}"
    return env_args or None, ""  # {}: what a conversion writes where no environment is known


def _file_tasks(data: h5py.Group, env_args: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The task text that a file has for all its demonstrations, from LIBERO's attribute or env_args."""
    problem = json_object(data.attrs.get("problem_info")) or {}
    said = (
        problem.get("language_instruction")
        or (env_args or {}).get("lang")
        or (env_args or {}).get("env_lang")
        or _task(data.attrs)
    )
    if isinstance(said, list):
        said = " ".join(map(str, said))
    return (said,) if isinstance(said, str) and said else ()


def _task(attributes: Mapping[str, Any]) -> str:
    """The task text among the attributes of a demonstration or of all; "" where there is none."""
    found = [attributes[key] for key in TASK if key in attributes]
    return next((text(one) for one in map(single, found) if isinstance(one, str | bytes)), "")
