"""One environment in its own process: it executes action chunks and returns the observations to decide on.

`rollout` starts it as `python -c "from s2robot.rollouts.simulator import serve; serve(...)"` and not through
`multiprocessing`, which would import the caller's main module (and with it torch) in every worker.
For the same reason this module imports no torch. Requests and answers go through a pipe, observations
through memory that both processes map.

    request                     answer
    Setup                       Ready: the environment is built
    Start(seed, video)          Observed
    action chunk "ta da"        Observed, or Finished when the episode ended on the way
    (any)                       Failed: the environment raised; the worker lives on

A frame is rendered only if it will be read. After a chunk of k actions that is the last `obs_steps`
of k, and on a reset one frame, repeated to fill the history. An environment takes part in this by
`env.unwrapped.images_in_step = False` (then `reset` and `step` render nothing) and
`env.unwrapped.observe(cameras)` (then it renders those cameras); from any other environment
observations are used as they are returned.
"""

import contextlib
import os
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
from jaxtyping import Float

from s2robot import plugins
from s2robot.errors import UserError, unknown_name
from s2robot.processes.ending import leave_signals_to_parent
from s2robot.rollouts import gym_api
from s2robot.rollouts.acting_space import check_real
from s2robot.rollouts.history import History
from s2robot.rollouts.messages import (
    Failed,
    Finished,
    Layout,
    Observed,
    Ready,
    Setup,
    Start,
    map_observations,
)
from s2robot.rollouts.observed import ObservationCheck
from s2robot.rollouts.resolving import close_env, import_module_of, make_env
from s2robot.rollouts.success import EpisodeSuccess
from s2robot.rollouts.video import EpisodeVideo, view_name

FPS = 10.0  # of videos of an environment that says nothing


def serve(connection_fd: int, memory_fd: int) -> None:
    """Build the environment and answer requests until the other end closes the connection."""
    leave_signals_to_parent()
    connection = Connection(connection_fd)
    with contextlib.ExitStack() as cleanup, contextlib.suppress(EOFError, ConnectionError):
        setup = connection.recv()
        try:
            simulator = cleanup.enter_context(contextlib.closing(Simulator(setup, memory_fd)))
        except (Exception, SystemExit) as error:  # any environment may raise anything; the parent decides
            connection.send(_failed(error))
            return
        connection.send(Ready(simulator.layout, simulator.action_shape))
        while True:
            request = connection.recv()
            try:
                answer = simulator.answer(request)
            except (Exception, SystemExit) as error:
                answer = _failed(error)
            connection.send(answer)


def _failed(error: BaseException) -> Failed:
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    return Failed(line, traceback.format_exc(), isinstance(error, UserError))


class Simulator:
    """An environment, the history of what the policy sees of it, and the episode it is playing."""

    def __init__(self, setup: Setup, memory_fd: int) -> None:
        """Build the environment; raises `UserError` for an unknown environment or observation key."""
        plugins.load(setup.plugins)
        import_module_of(setup.env_id)
        self.env = make_env(setup.env_id, setup.env_kwargs)
        self.core = cast(Any, self.env.unwrapped)  # its images_in_step and observe are not Gymnasium's
        spaces, actions = self.env.observation_space, self.env.action_space
        dict_space, box = gymnasium.spaces.Dict, gymnasium.spaces.Box
        if not isinstance(spaces, dict_space) or not isinstance(actions, box) or len(actions.shape) != 1:
            raise UserError(
                f"{setup.env_id} observes {type(spaces).__name__} and acts in {actions};"
                " rollouts need Dict observations and actions in a one-dimensional Box"
            )
        check_real(setup.env_id, actions)
        self.mapping = setup.mapping
        observed = {key: self.mapping.key(key) for key in setup.obs_keys}
        for key in observed.values():
            if key not in spaces.spaces:
                raise unknown_name(f"observation of {setup.env_id}", key, spaces.spaces)
        self.env_id, self.actions = setup.env_id, actions
        self.action_shape = actions.shape
        self.obs_steps = setup.obs_steps
        self.layout: Layout = {}
        for key, there in observed.items():
            shape, dtype = spaces[there].shape, spaces[there].dtype
            if shape is None or dtype is None:
                raise UserError(f"observation {there!r} of {setup.env_id} is no array but {spaces[there]}")
            self.layout[key] = ((setup.obs_steps, *shape), dtype.str)
        size = sum(int(np.prod(s)) * np.dtype(d).itemsize + 64 for s, d in self.layout.values())
        os.ftruncate(memory_fd, max(1, size))
        self.shared = map_observations(self.layout, memory_fd)

        self.lazy = hasattr(self.core, "images_in_step") and hasattr(self.core, "observe")
        if self.lazy:
            self.core.images_in_step = False
        self.check = ObservationCheck(setup.env_id, spaces.spaces)
        self.images = self.check.images
        self.read_images = [key for key in self.images if key in observed.values()]
        self.fps = _fps(setup.env_id, self.env.metadata)

        self.history = History(setup.obs_steps)
        self.video: EpisodeVideo | None = None

    def answer(self, request: "Start | Float[np.ndarray, 'ta da']") -> "Observed | Finished | Failed":
        if isinstance(request, Start):
            return self.start(request.seed, request.video)
        return self.advance(request)

    def start(self, seed: int, video: Path | None) -> Observed:
        """Begin the episode of `seed`, recorded to `video` if that is a path."""
        self._drop_video()
        if video is not None:
            if not self.images:
                raise UserError(f"nothing to record: {self.env} observes no images")
            self.video = EpisodeVideo(video, seed, self.fps, [view_name(key) for key in self.images])
        obs = gym_api.reset(self.env, self.env_id, seed)
        self.seed, self.steps, self.return_, self.success = seed, 0, 0.0, EpisodeSuccess(self.env_id)
        self.history.start()
        self._observe(obs, read=True)
        return self._share()

    def advance(self, chunk: Float[np.ndarray, "ta da"]) -> Observed | Finished:
        """Execute the actions of `chunk` in turn, clipped to the action space, until the episode ends."""
        executed = np.clip(chunk.astype(self.actions.dtype), self.actions.low, self.actions.high)
        for left, action in zip(reversed(range(len(executed))), executed, strict=True):
            obs, reward, done, info = gym_api.step(self.env, self.env_id, action)
            self.steps += 1
            self.return_ += reward
            self.success.note(info)
            self._observe(obs, read=left < self.obs_steps and not done)
            if done:
                success, layout = self.success.result(), None
                if self.video is not None:
                    layout = self.video.layout
                    self.video.finish(success)
                    self.video = None
                begun = executed[: len(executed) - left]
                return Finished(success, self.steps, self.return_, begun, layout)
        return self._share(executed)

    def close(self) -> None:
        self._drop_video()
        close_env(self.env, self.env_id)

    def _observe(self, obs: Mapping[str, np.ndarray], read: bool) -> None:
        """Take note of the state that `obs` came from: for the policy if it will `read` it, for the video."""
        wanted = self.images if self.video is not None else self.read_images if read else []
        if self.lazy and wanted:
            cameras = tuple(map(view_name, wanted))
            obs = {**obs, **self.core.observe(cameras)}
        if wanted:
            self.check.frames(obs, wanted)
            obs = self.mapping.upright(obs)
        if read:
            self.history.add({key: self._copy(obs, self.mapping.key(key)) for key in self.layout})
        if self.video is not None:
            self.video.add([obs[key] for key in self.images])

    def _copy(self, obs: Mapping[str, np.ndarray], key: str) -> np.ndarray:
        if key in self.read_images:
            return np.array(obs[key])
        return self.check.numbers(obs, key, self.steps, self.seed)

    def _share(self, executed: Float[np.ndarray, "k da"] | None = None) -> Observed:
        self.history.write(self.shared)
        return Observed(executed)

    def _drop_video(self) -> None:
        if self.video is not None:
            self.video.discard()
            self.video = None


def _fps(env_id: str, metadata: Mapping[str, Any] | None) -> float:
    """Frames a second of the videos. Raises `UserError` for what is no such number."""
    fps = (metadata or {}).get("render_fps")
    if fps is None:
        return FPS
    if isinstance(fps, int | float | np.number) and 0 <= fps < float("inf"):
        return float(fps) or FPS
    expected = f"expected a number above 0, such as {FPS:g}"
    raise UserError(f"{env_id}: its metadata has render_fps={fps!r}, {expected}")
