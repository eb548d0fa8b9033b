"""The states of recorded episodes, and the scene in which they can be rendered."""

from pathlib import Path

import numpy as np

from s2robot.collecting.render import Scene, scene_of
from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.lerobot.extras import EXTRA
from s2robot.errors import UserError
from s2robot.rollouts.chosen_by_file import check_chosen
from s2robot.rollouts.environment import check_rendering
from s2robot.rollouts.resolving import environment_of

STATES = "states"


def states_key(one: Episode) -> str | None:
    """Key of an episode's states, None where it has none."""
    return next((key for key in (STATES, EXTRA + STATES) if key in one.recorded.arrays), None)


def states_of(one: Episode, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Rows of an episode's states, "t d". Raises `UserError` where it has none, or too few."""
    if (key := states_key(one)) is None:
        raise UserError(f"{one.recorded.file}: {one.name} has no states")
    states = one.source.read(one.number, key, start, stop)
    if stop is not None and len(states) < stop - start:
        rows = one.recorded.arrays[key].rows
        raise UserError(f"{place(one)}, {key}: found {rows} rows, expected a state for each action")
    return states


def scene_for(dataset: Dataset, one: Episode, size: tuple[int, int]) -> Scene:
    """The scene of an episode's states, rendered at `size` (h, w); close it after use.

    Raises `UserError` in one line where there is none on this machine.
    """
    env_args = dataset.env_args or {}
    check_chosen(dataset.path, *environment_of(env_args))
    check_rendering()
    return scene_of(one.recorded.info.get("model_file"), place(one), dict(env_args), size)


def render_state(scene: Scene, one: Episode, state: np.ndarray, cameras: tuple[str, ...]) -> list[np.ndarray]:
    """Frames (h, w, 3), uint8, of a state, one a camera. Raises `UserError` for a state of another scene."""
    try:
        seen = scene.render(state, cameras)
    except ValueError as error:
        raise UserError(f"{place(one)}: {error}") from error
    return [seen[camera] for camera in cameras]


def place(one: Episode) -> str:
    """File and name of an episode, for messages."""
    return f"{Path(one.recorded.file)}: {one.recorded.name}"
