"""One robosuite task as a Gymnasium environment with the interface of `envs.base.TabletopEnv`."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.arguments import height_width, known_cameras
from envs.observing import Observation, ObservingEnv
from envs.robosuite.dataset import current_controller, is_installed
from envs.robosuite.frames import StoredScene

MISSING = "robosuite's tasks need the package robosuite: pip install 's2robot[robosuite]'"
CAMERAS = ("agentview", "robot0_eye_in_hand")
# Settings that we decide: robosuite renders nothing, and Gymnasium ends the episodes.
FIXED = {
    "has_renderer": False,
    "has_offscreen_renderer": False,
    "use_camera_obs": False,
    "use_object_obs": True,
    "ignore_done": True,
    "hard_reset": True,
}
OBSOLETE = ("camera_depths", "camera_depth", "render_gpu_device_id", "camera_segmentations")


class RobosuiteEnv(ObservingEnv):
    """Lift, PickPlaceCan or NutAssemblySquare of robosuite, for a Panda.

    Raises gymnasium's DependencyNotInstalled, naming the extra, where robosuite is not installed.

    ## Action space
    `Box(-1, 1, (7,), float32)`: change of the grip point's position (5 cm) and orientation (axis-angle, 0.5
    rad), gripper (> 0 closes), unless `env_kwargs` bring another controller.

    ## Observation space
    `Dict` with robosuite's keys: `<camera>_image` uint8 (h, w, 3), top row first, `robot0_*` in metres and
    radians, quaternions xyzw, and `object`, robosuite's object-state, which is privileged.

    ## Reward
    1 when the task is solved, else 0; robosuite's own shaped reward with `reward_type="dense"`.

    ## Episode end
    Terminates when robosuite's success check holds (`info["success"]`). Truncates after 400 steps.

    ## Arguments
    - `task`: robosuite's name of it.
    - `image_size` (448): int or (height, width) of every image, in pixels.
    - `cameras` (agentview and the hand's): any of the scene's.
    - `control_freq` (20): control steps a second.
    - `reward_type` ("sparse"): or "dense".
    - `shadows` (False), `samples` (0): what robosuite shows as well, at twice the time a frame.
    - `env_kwargs`: arguments of `robosuite.make`, as a dataset's `env_args` has them.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        task: str,
        image_size: int | Sequence[int] = 448,
        cameras: Sequence[str] | None = None,
        control_freq: int = 20,
        render_mode: str | None = None,
        reward_type: str = "sparse",
        shadows: bool = False,
        samples: int = 0,
        env_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if reward_type not in ("sparse", "dense"):
            raise ValueError(f"reward_type is {reward_type!r}; it must be 'sparse' or 'dense'")
        self.image_size = height_width(image_size)
        self.reward_type, self.render_mode = reward_type, render_mode
        self.shadows, self.samples = shadows, samples
        self.metadata = {**self.metadata, "render_fps": control_freq}
        self.env_kwargs, self.sim_env = _make(task, control_freq, reward_type, env_kwargs or {})
        for name in self.sim_env.observation_names:  # as robomimic has it
            if "joint_pos" in name or "eef_vel" in name:
                self.sim_env.modify_observable(name, "active", True)
        # In a step robosuite would compute every observation in each of the 25 substeps.
        self._update_observables = self.sim_env._update_observables
        self.sim_env._update_observables = self._only_when_forced
        self._scene: StoredScene | None = None
        self.camera_names = CAMERAS if cameras is None else known_cameras(cameras, self._scene_cameras())
        low, high = self.sim_env.action_spec
        self._low, self._high = low, high
        self.action_space = spaces.Box(low.astype(np.float32), high.astype(np.float32))
        self.observation_space = self.observed_space()

    def _refresh(self) -> None:
        """Bring poses up to the positions just reached; robosuite leaves them a substep behind."""
        warm_start = self.sim_env.sim.data.qacc_warmstart.copy()
        self.sim_env.sim.forward()
        self.sim_env.sim.data.qacc_warmstart[:] = warm_start  # the future stays robosuite's

    def _only_when_forced(self, force: bool = False) -> None:
        if force:
            self._update_observables(force=True)

    # Gymnasium's interface.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self.sim_env.rng = np.random.default_rng(self.np_random.integers(2**63))
        self.sim_env.placement_initializer = None  # made again, with the new generator
        self._drop_scene()
        self.sim_env.reset()
        return self.step_observation(), self._info()

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self._low.shape or not np.isfinite(action).all():
            raise ValueError(f"action must be {len(self._low)} finite numbers, got {action.tolist()}")
        _, reward, _, _ = self.sim_env.step(np.clip(action, self._low, self._high))
        self._refresh()
        info = self._info()
        return self.step_observation(), float(reward), info["success"], False, info

    def render(self) -> np.ndarray | None:
        """The first camera's image, uint8 (h, w, 3), top row first."""
        if self.render_mode is None:
            return None
        return self._image(self.camera_names[0] if self.camera_names else CAMERAS[0])

    def close(self) -> None:
        self._drop_scene()

    # Beyond Gymnasium, as `TabletopEnv` has it.

    def observe(self, cameras: tuple[str, ...] | None = None) -> Observation:
        cameras = known_cameras(cameras, self.camera_names)
        seen = self.sim_env._get_observations(force_update=True)
        robot = {
            key: np.array(value, dtype=np.float64)
            for key, value in seen.items()
            if key.startswith("robot0_") and not key.endswith("-state")
        }
        images = {f"{name}_image": self._image(name) for name in cameras}
        return {**images, **robot, "object": np.array(seen["object-state"], dtype=np.float64)}

    def stored_state(self) -> np.ndarray:
        """What robomimic's datasets keep of a state: time, positions, velocities."""
        return np.array(self.sim_env.sim.get_state().flatten())

    def get_state(self) -> np.ndarray:
        """All that the future depends on in an episode, float64; it starts with `stored_state`."""
        data = self.sim_env.sim.data
        grippers = [np.asarray(g.current_action).ravel() for g in self._grippers()]
        return np.concatenate([self.stored_state(), data.qacc_warmstart, data.ctrl, *grippers])

    def set_state(self, state: np.ndarray) -> None:
        """Goes back to a state of this episode from `get_state`, bit for bit, or to one from `stored_state`.

        The latter leaves out what the controllers and the solver remember. Raises ValueError for
        another length.
        """
        state = np.asarray(state, dtype=np.float64)
        stored, full = len(self.stored_state()), len(self.get_state())
        if state.shape not in ((stored,), (full,)):
            raise ValueError(f"state has shape {state.shape}; here it is ({full},) or ({stored},)")
        data = self.sim_env.sim.data
        self.sim_env.sim.set_state_from_flattened(state[:stored])
        self.sim_env.sim.forward()
        if len(state) == full:
            nv, nu = len(data.qacc_warmstart), len(data.ctrl)
            rest = state[stored:]
            data.qacc_warmstart[:], data.ctrl[:] = rest[:nv], rest[nv : nv + nu]
            at = nv + nu
            for gripper in self._grippers():
                now = np.asarray(gripper.current_action)
                gripper.current_action = rest[at : at + now.size].reshape(now.shape).copy()
                at += now.size

    def model_xml(self) -> str:
        """The episode's scene as robomimic keeps it in `model_file`."""
        return self.sim_env.sim.model.get_xml()

    def _grippers(self) -> list[Any]:
        return [gripper for robot in self.sim_env.robots for gripper in robot.gripper.values()]

    def _info(self) -> dict[str, Any]:
        return {"success": bool(self.sim_env._check_success())}

    def _scene_cameras(self) -> tuple[str, ...]:
        model = self.sim_env.sim.model._model
        return tuple(model.camera(i).name for i in range(model.ncam))

    def _image(self, camera: str) -> np.ndarray:
        if self._scene is None:
            # As a dataset keeps it: what is rendered from the dataset later is the same to the bit.
            self._scene = StoredScene(self.model_xml(), self.image_size, self.shadows, self.samples)
        return self._scene.render(self.stored_state(), (camera,))[camera]

    def _drop_scene(self) -> None:
        if self._scene is not None:
            self._scene.close()
            self._scene = None


def _make(
    task: str, control_freq: int, reward_type: str, given: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """The arguments of `robosuite.make` that are kept with a dataset, and what it makes of them."""
    if not is_installed():
        raise gymnasium.error.DependencyNotInstalled(MISSING)
    logging.disable(logging.WARNING)  # warnings about macros, controllers and robots
    try:
        return _made(task, control_freq, reward_type, given)
    finally:
        logging.disable(logging.NOTSET)


def _made(
    task: str, control_freq: int, reward_type: str, given: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    import robosuite
    from robosuite.controllers import load_composite_controller_config

    kwargs: dict[str, Any] = {"robots": "Panda", **deepcopy(given)}
    for name in OBSOLETE:
        kwargs.pop(name, None)
    robot = kwargs["robots"] if isinstance(kwargs["robots"], str) else kwargs["robots"][0]
    config = current_controller(kwargs.get("controller_configs"))
    kwargs["controller_configs"] = config or load_composite_controller_config(robot=robot)
    kwargs |= FIXED
    made = robosuite.make(
        task, control_freq=control_freq, reward_shaping=reward_type == "dense", seed=0, **deepcopy(kwargs)
    )
    return kwargs, made
