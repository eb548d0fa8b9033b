"""Small robomimic-like files of random numbers, to be changed by tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

GYM = {"env_name": "RealArm-v0", "type": 2, "env_kwargs": {}}
Demo = dict[str, np.ndarray]  # arrays by their path in the demonstration


def picture(steps: int, height: int = 8, width: int = 6, seed: int = 0) -> np.ndarray:
    """Frames uint8 (t, h, w, 3) that change slowly in space, as JPEG likes."""
    corners = np.random.default_rng(seed).integers(0, 256, (steps, 2, 2, 3))
    return np.kron(corners, np.ones((1, height // 2, width // 2, 1))).astype(np.uint8)


def demo(steps: int = 6, seed: int = 0, **arrays: np.ndarray) -> Demo:
    """A demonstration with one camera; `arrays` (`obs__x` for `obs/x`) are added or replace others."""
    rng = np.random.default_rng(seed)
    quaternions = np.abs(rng.normal(size=(steps, 4)))  # of one sign
    usual = {
        "actions": rng.uniform(-1, 1, (steps, 7)),
        "obs/agentview_image": picture(steps, seed=seed),
        "obs/robot0_eef_pos": rng.normal(size=(steps, 3)),
        "obs/robot0_eef_quat": quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True),
        "obs/robot0_gripper_qpos": rng.normal(size=(steps, 2)),
    }
    return usual | {key.replace("__", "/"): values for key, values in arrays.items()}


def write(
    path: Path,
    demos: Sequence[Demo] | Mapping[str, Demo],
    env_args: object = GYM,
    masks: Mapping[str, Sequence[str]] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """A file of these demonstrations, `demo_0` and on unless they have names."""
    named = demos if isinstance(demos, Mapping) else {f"demo_{i}": one for i, one in enumerate(demos)}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs.update(attributes or {})
        if env_args is not None:
            data.attrs["env_args"] = env_args if isinstance(env_args, str) else json.dumps(env_args)
        for name, arrays in named.items():
            data.create_group(name).attrs["num_samples"] = len(arrays["actions"])
            for key, values in arrays.items():
                data[f"{name}/{key}"] = values
        for key, names in (masks or {}).items():
            file[f"mask/{key}"] = np.array(names, dtype="S16")
    return path


def without(one: Demo, *keys: str) -> Demo:
    """A demonstration without these arrays."""
    return {key: values for key, values in one.items() if key not in keys}
