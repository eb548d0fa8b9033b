"""Writing demonstrations in robomimic's HDF5 format: one part an episode, then all in one file.

Parts hold their frames compressed; putting them together copies the compressed chunks as they are.
What is written appears under its name complete or not at all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from s2robot.datasets.hdf5_output import new_hdf5
from s2robot.datasets.robomimic_writer import write_masks, write_obs
from s2robot.errors import UserError
from s2robot.files import replacing

VALID_EVERY = 10  # every tenth demonstration is for validation
ROBOMIMIC_GYM_TYPE = 2  # robomimic.envs.env_base.EnvType.GYM_TYPE


@dataclass(frozen=True)
class Episode:
    """One recorded episode; time is the first axis of every array."""

    seed: int
    success: bool
    model_xml: str | None  # None: the environment has no scene of MuJoCo
    arrays: dict[str, np.ndarray]  # actions, actions_executed, rewards, dones; states where there are any
    obs: dict[str, np.ndarray]


def write_part(path: Path, episode: Episode, keep: bool) -> None:
    """Write one episode; without `keep` only the fact that it was tried."""
    with replacing(path) as scratch, new_hdf5(scratch) as (file, _):
        demo = file.create_group("demo")
        demo.attrs["num_samples"] = len(episode.arrays["actions"])
        demo.attrs["seed"] = episode.seed
        demo.attrs["success"] = episode.success
        if episode.model_xml is not None:
            demo.attrs["model_file"] = episode.model_xml
        demo.attrs["kept"] = keep
        if keep:
            for key, values in episode.arrays.items():
                demo[key] = values
            for key, values in episode.obs.items():
                write_obs(demo.require_group("obs"), key, values)


def assemble(parts: Sequence[Path], out: Path, env_args: dict[str, Any], attributes: dict[str, str]) -> None:
    """Put parts into one dataset with the splits `mask/train` and `mask/valid`."""
    with replacing(out, parts[0].parent) as scratch, new_hdf5(scratch) as (file, _):
        data = file.create_group("data")
        names = [f"demo_{i}" for i in range(len(parts))]
        copy_parts(dict(zip(names, parts, strict=True)), data)
        data.attrs["total"] = sum(int(data[name].attrs["num_samples"]) for name in names)
        data.attrs["env_args"] = json.dumps({"type": ROBOMIMIC_GYM_TYPE, **env_args})
        data.attrs.update(attributes)
        valid = names[VALID_EVERY - 1 :: VALID_EVERY] or names[-1:]
        train = [name for name in names if name not in valid] or names
        write_masks(file, {"train": train, "valid": valid})


def copy_parts(parts: Mapping[str, Path], data: h5py.Group) -> None:
    """Put the episode of each part into `data` under its name."""
    for name, part in parts.items():
        try:
            with h5py.File(part, "r") as source:
                source.copy("demo", data, name=name)
        except (OSError, KeyError) as error:
            raise UserError(f"{part} is damaged ({error}); delete it and run the command again") from error
