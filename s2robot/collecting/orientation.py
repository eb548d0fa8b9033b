"""Whether frames are the right way up: they are compared with what their states look like when rendered."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np

import envs
from envs.robosuite import environment_of
from s2robot.collecting.render import scene_of
from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.images import TRANSFORMS
from s2robot.datasets.tools.validation import Findings
from s2robot.errors import UserError
from s2robot.rollouts.environment import check_rendering, is_installed

STATES = ("states", "extras/states")
MARGIN = 0.5  # another way round must leave less than this share of the squared difference
ALIKE = 0.3  # largest squared difference, in units of the frame's own variance, of frames of one scene
TURNS: dict[str, tuple[int, ...]] = {**TRANSFORMS, "mirror_columns": (1,)}  # axes of (h, w, 3) to flip
SAYS = {
    "flip_rows": "they are upside-down (rows flipped); data.orientation=flipped_rows turns them",
    "rotate_180": "they are rotated by 180 degrees; data.orientation=rotated_180 turns them",
    "mirror_columns": "they are mirrored left to right",
}


def compare_with_states(findings: Findings) -> None:
    """Add errors for cameras whose frames are the wrong way up, or a note why that cannot be known."""
    dataset = findings.healthy
    assert dataset is not None
    try:
        env_args = _renderable(dataset)
        for camera in dataset.cameras:
            if told := _compare(dataset, camera, env_args):
                one = dataset.records[0]
                findings.errors.append(dataset.problem(one, dataset.cameras[camera].key, told))
    except UserError as error:
        findings.notes.append(f"not compared with a new rendering: {error}")


def _renderable(dataset: Dataset) -> Mapping[str, Any]:
    """The dataset's env_args; raises `UserError` where its states cannot be rendered here."""
    env_args = dataset.env_args
    if not env_args or not isinstance(env_args.get("env_kwargs"), dict) or "env_name" not in env_args:
        raise UserError("the dataset names no environment")
    env_id = environment_of(env_args)[0]
    if env_id not in envs.KNOWN or not is_installed(env_id):
        raise UserError(f"{env_id} is not installed")
    if _states_key(dataset.records[0]) is None:
        raise UserError("the dataset has no states")
    check_rendering()
    return env_args


def _compare(dataset: Dataset, camera: str, env_args: Mapping[str, Any]) -> str:
    """What is wrong with a camera's frames in the middle of the first episode, "" if nothing is known."""
    one, row = dataset.records[0], dataset.lengths[0] // 2
    key = _states_key(one)
    assert key is not None
    state = one.source.read(one.number, key, row, row + 1)[0]
    model, where = one.recorded.info.get("model_file"), f"{one.recorded.file}: {one.recorded.name}"
    with closing(scene_of(model, where, dict(env_args), dataset.image_size(camera))) as scene:
        if camera not in scene.cameras:
            raise UserError(f"the environment has no camera {camera}")
        try:
            rendered = scene.render(state, (camera,))[camera].astype(np.float64)
        except ValueError as error:
            raise UserError(f"{where}: {error}") from error
    stored = dataset.read_frames(one.name, camera, row, row + 1)[0].astype(np.float64)
    variance = max(float(rendered.var()), 1.0)
    off = {
        name: float(((np.flip(stored, axes) - rendered) ** 2).mean()) / variance
        for name, axes in TURNS.items()
    }
    best = min(off, key=off.__getitem__)
    if best and off[best] < MARGIN * off[""] and off[best] < ALIKE:
        return f"compared with a new rendering of row {row} {SAYS[best]}"
    return ""


def _states_key(one: Episode) -> str | None:
    return next((key for key in STATES if key in one.recorded.arrays), None)
