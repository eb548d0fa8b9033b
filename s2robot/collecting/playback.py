"""A recorded episode as a video: its frames, its states rendered, or its actions executed once more.

Rendered and executed episodes are compared with what was recorded: how far they are apart, and where most.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from s2robot.collecting.recorded import place, render_state, scene_for, states_key, states_of
from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.pieces import frames_in_pieces
from s2robot.datasets.tools.target import writing
from s2robot.errors import UserError, unknown_name
from s2robot.progress import progress
from s2robot.rollouts.chosen_by_file import check_chosen
from s2robot.rollouts.environment import check_rendering
from s2robot.rollouts.resolving import environment_of, make_env
from s2robot.rollouts.video import Video
from s2robot.types import IMAGE_SUFFIX, image_key

ORIGINS = ("observations", "states", "actions")
USUAL_FPS = 10.0
USUAL_SIZE = (256, 256)  # of rendered frames, where the dataset has none

Views = list[np.ndarray]


@dataclass
class Divergence:
    """How far something is from what was recorded, in the units of the dataset; pixels in grey levels."""

    largest: float = 0.0
    step: int = 0  # of the largest
    last: float = 0.0

    def add(self, step: int, found: np.ndarray, recorded: np.ndarray) -> None:
        """Note the largest absolute difference of the numbers of a step (of pixels the mean one)."""
        difference = np.abs(np.asarray(found, np.float64).ravel() - np.asarray(recorded, np.float64).ravel())
        self.last = float(difference.mean() if recorded.dtype == np.uint8 else difference.max(initial=0.0))
        if self.last > self.largest:
            self.largest, self.step = self.last, step


@dataclass
class Played:
    """What was shown."""

    episode: str
    frames: int = 0
    divergence: dict[str, Divergence] = field(default_factory=dict)
    success: bool | None = None  # at the end of executed actions

    def compare(self, name: str, step: int, found: np.ndarray, recorded: np.ndarray) -> None:
        self.divergence.setdefault(name, Divergence()).add(step, found, recorded)


def play(dataset: Dataset, episode: str, out: Path, origin: str, fps: float | None = None) -> Played:
    """Write the video of an episode, `origin` one of ORIGINS; `fps` that of the dataset unless given.

    Raises `UserError` for an unknown episode, a target that cannot be, and what the episode does not have.
    """
    if episode not in dataset.episodes:
        raise unknown_name("episode", episode, dataset.episodes, dataset.path)
    if out.suffix.lower() != ".mp4":
        raise UserError(f"--out {out}: a name that ends in .mp4 is needed")
    rate = dataset.fps or USUAL_FPS if fps is None else fps
    if not 0 < rate < 1000:
        raise UserError(f"--fps {rate:g}: frames a second between 0 and 1000 are needed")
    number = list(dataset.episodes).index(episode)
    views = {"observations": _observed, "states": _rendered, "actions": _executed}[origin]
    played = Played(episode)
    with writing(out, [source.path for source in dataset.sources]) as scratch:
        video = Video(scratch, rate)
        try:
            seen = views(dataset, number, played)
            for step, frames in enumerate(progress(seen, dataset.lengths[number], f"playback from {origin}")):
                video.add(frames, f"{episode}   step {step}   {origin}")
                played.frames += 1
            video.finish()
        finally:
            video.discard()
    return played


def _observed(dataset: Dataset, number: int, played: Played) -> Iterator[Views]:
    """The recorded frames of all cameras, upright."""
    if not dataset.cameras:
        raise UserError(f"{dataset.path} has no camera; --from states or --from actions may show it")
    yield from _side_by_side(dataset, number)


def _rendered(dataset: Dataset, number: int, played: Played) -> Iterator[Views]:
    """The recorded states, rendered; recorded frames are compared."""
    one = dataset.records[number]
    states = states_of(one, 0, dataset.lengths[number])
    recorded = _side_by_side(dataset, number) if dataset.cameras else iter(())
    size = dataset.image_size(next(iter(dataset.cameras))) if dataset.cameras else USUAL_SIZE
    with closing(scene_for(dataset, one, size)) as scene:
        cameras = [camera for camera in dataset.cameras if camera in scene.cameras] or scene.cameras[:1]
        for step, state in enumerate(states):
            views = render_state(scene, one, state, tuple(cameras))
            seen = dict(zip(dataset.cameras, next(recorded, []), strict=False))
            for camera, view in zip(cameras, views, strict=True):
                if camera in seen and seen[camera].shape == view.shape:
                    played.compare(f"{camera}, pixels", step, view, seen[camera])
            yield views


def _executed(dataset: Dataset, number: int, played: Played) -> Iterator[Views]:
    """What the environment shows when the executed actions are taken once more, from the recorded start.

    Where `data.actions` chooses others, these are: absolute poses by a controller that takes them.
    """
    one, length = dataset.records[number], dataset.lengths[number]
    check_rendering()
    env_id, kwargs = environment_of(dataset.env_args, dataset.absolute)
    if dataset.env_args is not None and not env_id:
        raise UserError(f"{dataset.path}: env_args names no controller that could execute absolute actions")
    check_chosen(dataset.path, env_id, kwargs)
    with closing(make_env(env_id, kwargs)) as env:
        simulator: Any = env.unwrapped
        states = states_of(one, 0, length) if states_key(one) and hasattr(simulator, "set_state") else None
        if states is None and one.recorded.seed is None:
            raise UserError(f"{place(one)} has neither states that can be set nor a seed, so no start")
        observed, _ = env.reset(seed=one.recorded.seed)
        if states is not None:
            _set_state(simulator, one, states[0])
            observed = simulator.observe()
        recorded = _recorded_numbers(dataset, one, length)
        for step, action in enumerate(_actions(dataset, one, length)):
            if states is not None:
                played.compare("states", step, simulator.stored_state(), states[step])
            for name, values in recorded.items():
                if name in observed and np.size(observed[name]) == values[step].size:
                    played.compare(name, step, observed[name], values[step])
            yield _images(dataset, one, observed)
            try:
                observed, _, _, _, info = simulator.step(action)
            except ValueError as error:
                raise UserError(f"{place(one)}, step {step}: the environment refuses it: {error}") from error
            played.success = bool(info["success"]) if "success" in info else None


def _set_state(simulator: Any, one: Episode, state: np.ndarray) -> None:
    try:
        simulator.set_state(state)
    except ValueError as error:
        raise UserError(f"{place(one)}: {error}") from error


def _images(dataset: Dataset, one: Episode, observed: dict[str, np.ndarray]) -> Views:
    """The views of an observation: the dataset's cameras, else all there are."""
    keys = [key for camera in dataset.cameras if (key := image_key(camera)) in observed]
    keys = keys or [key for key in observed if key.endswith(IMAGE_SUFFIX)]
    if not keys:
        raise UserError(f"{place(one)}: its environment observes no image")
    return [observed[key] for key in keys]


def _actions(dataset: Dataset, one: Episode, length: int) -> np.ndarray:
    """What was executed, or what the options choose, "t da"."""
    executed = dataset.source.executed_actions if dataset.options.actions is None else None
    keys: Sequence[str] = [executed] if executed else list(dataset.action_keys.values())
    parts = [one.source.read(one.number, key, 0, length).reshape(length, -1) for key in keys]
    return np.concatenate(parts, axis=1)


def _recorded_numbers(dataset: Dataset, one: Episode, length: int) -> dict[str, np.ndarray]:
    """The numeric observations of an episode by the names that an environment has for them."""
    keys = {name: dataset.keys.resolve(name) for name in dataset.keys.low_dim()} | dataset.proprio_keys
    found = {name: key for name, key in keys.items() if key and key in one.recorded.arrays}
    return {name: one.source.read(one.number, key, 0, length) for name, key in found.items()}


def _side_by_side(dataset: Dataset, number: int) -> Iterator[Views]:
    """The recorded frames of all cameras, a step at a time."""
    each = [_one_by_one(dataset, number, camera) for camera in dataset.cameras]
    yield from (list(frames) for frames in zip(*each, strict=True))


def _one_by_one(dataset: Dataset, number: int, camera: str) -> Iterator[np.ndarray]:
    for piece in frames_in_pieces(dataset, dataset.episodes[number], camera):
        yield from piece
