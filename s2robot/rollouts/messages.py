"""What the rollout and its simulator processes send each other, and the memory that both map.

    request                     answer
    Setup                       Ready: the environment is built
    Start(seed, video)          Observed
    action chunk "ta da"        Observed, or Finished when the episode ended on the way
    (any)                       Failed: the environment raised; the worker lives on

Observations do not go through the pipe: they are in shared memory.
"""

import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from s2robot.rollouts.decisions import FilmLayout
from s2robot.rollouts.mapping import ObservationMapping

Layout = dict[str, tuple[tuple[int, ...], str]]  # observation key -> (shape "to ...", dtype)


@dataclass(frozen=True)
class Setup:
    env_id: str
    env_kwargs: dict[str, Any]
    obs_keys: tuple[str, ...]
    obs_steps: int
    plugins: tuple[str, ...] = ()  # modules that the other process has loaded by name
    mapping: ObservationMapping = field(default_factory=ObservationMapping)


@dataclass(frozen=True)
class Start:
    seed: int
    video: Path | None


@dataclass(frozen=True)
class Ready:
    layout: Layout
    action_shape: tuple[int, ...]


@dataclass(frozen=True)
class Observed:
    """The last `obs_steps` observations are in the shared memory."""

    executed: np.ndarray | None = None  # actions "k da" since the last one, within the action space


@dataclass(frozen=True)
class Finished:
    success: bool
    steps: int
    return_: float
    executed: np.ndarray  # actions "k da" since the last decision, within the action space
    layout: FilmLayout | None = None  # of the video, if there is one


@dataclass(frozen=True)
class Failed:
    error: str  # one line
    trace: str
    user_error: bool


def map_observations(layout: Layout, memory_fd: int) -> dict[str, np.ndarray]:
    """Arrays over the shared memory, one an observation key, each "to ..."."""
    sizes = [int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in layout.values()]
    starts = np.cumsum([0] + [-(-size // 64) * 64 for size in sizes])  # on cache lines
    memory = mmap.mmap(memory_fd, max(1, int(starts[-1])))
    return {
        key: np.ndarray(shape, dtype, buffer=memory, offset=int(start))
        for (key, (shape, dtype)), start in zip(layout.items(), starts, strict=False)
    }
