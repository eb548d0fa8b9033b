"""What every tabletop task shares: scene, cameras, observations, episodes, exact state save and restore.

A task subclasses `TabletopEnv`, names its `scene` (an MJCF file in `assets/`) and defines how its objects are
placed (`place_objects`), described (`object_state`) and when it is solved (`is_success`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np
from gymnasium import spaces

from envs import docs, opengl, variation
from envs.arguments import height_width, known_cameras, substeps_of
from envs.observing import Observation, ObservingEnv
from envs.panda import HOME_QPOS, TARGET_SIZE, Panda
from envs.possible import check_state
from envs.sight import HAND_CAMERA, HandSight, place_agentview

ASSETS = Path(__file__).parent / "assets"
SUCCESS_STEPS = 5  # a task is solved when its goal has been met for this many control steps in a row
START_NOISE_RAD = 0.1
MOST_DRAWS = 1000  # of a start; more means that a task puts its object where it cannot be seen

# What the future of the simulation depends on.
_STATE = (
    mujoco.mjtState.mjSTATE_FULLPHYSICS.value
    | mujoco.mjtState.mjSTATE_CTRL.value
    | mujoco.mjtState.mjSTATE_WARMSTART.value
    | mujoco.mjtState.mjSTATE_MOCAP_POS.value  # fixtures stand elsewhere in every episode
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT.value
    | mujoco.mjtState.mjSTATE_USERDATA.value  # what a task keeps, such as colours
)


class TabletopEnv(ObservingEnv):
    """A Panda arm at a table; the task classes define the goal and add to this documentation.

    Raises ValueError for an unknown camera and for an image size or control frequency that cannot be.

    ## Description
    A Franka Panda with a two-finger gripper stands at a table (base at the origin, table top at z = 0, x
    forward). What it holds is held by friction alone.

    ## Action space
    `Box(-1, 1, (7,), float32)`; values outside are clipped. Deltas are in the world frame and move the target
    pose of the grip point, which stays inside the workspace and the joint limits.

    | index | meaning                                  | an action of 1             |
    |-------|------------------------------------------|----------------------------|
    | 0-2   | move the grip point along x, y, z        | 5 cm a step                |
    | 3-5   | turn the gripper, axis-angle about x y z | 0.5 rad a step             |
    | 6     | gripper: > 0 closes, < 0 opens, 0 holds  | each finger moves 5 cm/s   |

    ## Observation space
    `Dict`; images are uint8, top row first, the rest is float64, in metres and in the world frame.

    | key                        | shape     | meaning                                            |
    |----------------------------|-----------|----------------------------------------------------|
    | `agentview_image`          | (h, w, 3) | from in front of the robot, over the workspace     |
    | `robot0_eye_in_hand_image` | (h, w, 3) | from the hand, over what is between the fingers    |
    | `robot0_eef_pos`           | (3,)      | grip point, between the pads                       |
    | `robot0_eef_quat`          | (4,)      | its orientation xyzw, with the sign nearest home's |
    | `robot0_gripper_qpos`      | (2,)      | left, right finger from the middle, 0 to 0.04      |

    ## Reward
    1 when the task is solved, else 0; with `reward_type="dense"` up to 0.9 on the way there.

    ## Starting state
    Arm joints uniformly within 0.1 rad of home (gripper pointing down, 25 cm above the table) where the
    hand's camera sees the object, gripper open.

    ## Episode end
    Terminates when solved (`info["success"]`), which must last for 5 control steps in a row.

    ## Arguments
    - `image_size` (448): int or (height, width) of every image, in pixels.
    - `cameras` (all there are): which cameras are observed.
    - `control_freq` (10): control steps a second, a divisor of 500.
    - `render_mode` (None): or "rgb_array", then `render` gives the first camera's image.
    - `reward_type` ("sparse"): or "dense".
    - `vary_scene` (False): whether light, colours and textures of the table and pose of agentview differ
      between episodes; or names of what does: "light", "camera", "colours", "textures", "distractors"
      (things beside the task, which touch nothing).
    - `starts` ("inside"): or "around", then objects start in a band around the usual area.
    - `camera_distance` (the scene's): of agentview from the middle of the workspace, in metres.
    - `wrist_camera` (True): whether there is a camera in the hand.
    """

    scene: ClassVar[str]
    farthest = 10.0  # m; what falls off the table stays on the floor
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        base = cls.__mro__[1].__doc__
        if cls.__doc__ and base:  # there are none under `python -OO`
            cls.__doc__ = docs.extend(cls.__doc__, base)

    def __init__(
        self,
        image_size: int | Sequence[int] = 448,
        cameras: Sequence[str] | None = None,
        control_freq: int = 10,
        render_mode: str | None = None,
        reward_type: str = "sparse",
        vary_scene: bool | str | Sequence[str] = False,
        starts: str = "inside",
        camera_distance: float | None = None,
        wrist_camera: bool = True,
    ) -> None:
        if reward_type not in ("sparse", "dense"):
            raise ValueError(f"reward_type is {reward_type!r}; it must be 'sparse' or 'dense'")
        if starts not in ("inside", "around"):
            raise ValueError(f"starts is {starts!r}; it must be 'inside' or 'around'")
        self.reward_type, self.around = reward_type, starts == "around"
        self.image_size = height_width(image_size)
        spec = mujoco.MjSpec.from_file(str(ASSETS / self.scene))
        if camera_distance is not None:
            place_agentview(spec, camera_distance)
        self.edit_scene(spec)
        if parts := variation.parts_of(vary_scene):
            variation.edit_scene(spec, parts)
        self.model = spec.compile()
        self._hand_sight = HandSight(self.model)
        if not wrist_camera:
            spec.delete(spec.camera(HAND_CAMERA))
            self.model = spec.compile()
        self._variation = variation.Variation(self.model, parts) if parts else None
        self.data = mujoco.MjData(self.model)
        self._xml = spec.to_xml()
        self.model.vis.global_.offheight, self.model.vis.global_.offwidth = self.image_size

        in_scene = tuple(self.model.camera(i).name for i in range(self.model.ncam))
        self.camera_names = known_cameras(cameras, in_scene)
        self._substeps = substeps_of(control_freq, self.model.opt.timestep)
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}; it must be None or 'rgb_array'")
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": control_freq}

        self.panda = Panda(self.model)
        self._pads = [self.model.geom(f"pad_{side}").id for side in ("left", "right")]
        self._renderer: mujoco.Renderer | None = None
        self._success_steps = 0
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
        mujoco.mj_forward(self.model, self.data)
        self.observation_space = self.observed_space()

    # What a task gives.

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        """Changes the scene that was read, before it is compiled."""

    def place_objects(self, rng: np.random.Generator) -> None:
        """Writes start poses of the task's objects into `self.data.qpos`."""
        raise NotImplementedError

    def object_state(self) -> np.ndarray:
        """The privileged state, observed under `object`; it starts with the object's position (3,) m."""
        raise NotImplementedError

    def is_success(self) -> bool:
        """Whether the goal is met right now (it counts after `SUCCESS_STEPS` control steps in a row)."""
        raise NotImplementedError

    def progress(self) -> float:
        """How far the task is solved, 0 to 0.9: the dense reward."""
        raise NotImplementedError

    def restore_look(self) -> None:
        """Gives the model the look that `self.data.userdata` holds; called whenever the state is set."""
        if self._variation is not None:
            self._variation.apply(self.data.userdata[-self._variation.size :])

    # Gymnasium's interface.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self._move_arm_to_start()
        self.place_objects(self.np_random)
        mujoco.mj_kinematics(self.model, self.data)
        draws = 1
        while not self._hand_sight.sees(self.data, self.object_state()[:3]):
            if draws == MOST_DRAWS:
                raise RuntimeError(f"the hand's camera saw the object in none of {draws} starts of the arm")
            self._move_arm_to_start()
            mujoco.mj_kinematics(self.model, self.data)
            draws += 1
        if self._variation is not None:
            self.data.userdata[-self._variation.size :] = self._variation.draw(self.np_random)
        self.restore_look()
        mujoco.mj_forward(self.model, self.data)
        self._success_steps = 0
        return self.step_observation(), self._info()

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(f"action must be 7 finite numbers, got {action.tolist()}")
        self.panda.step(self.data, np.clip(action, -1.0, 1.0), self._substeps)
        mujoco.mj_forward(self.model, self.data)  # poses and contacts of the state just reached
        self._success_steps = self._success_steps + 1 if self.is_success() else 0
        info = self._info()
        reward = self.progress() if self.reward_type == "dense" and not info["success"] else info["success"]
        return self.step_observation(), float(reward), info["success"], False, info

    def render(self) -> np.ndarray | None:
        """The first camera's image, uint8 (h, w, 3), top row first."""
        if self.render_mode is None:
            return None
        return self._image(self.camera_names[0] if self.camera_names else self.model.camera(0).name)

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # Beyond Gymnasium: observing on demand, saving and restoring.

    def observe(self, cameras: tuple[str, ...] | None = None) -> Observation:
        cameras = known_cameras(cameras, self.camera_names)
        position, _ = self.panda.pose(self.data)
        return {
            **{f"{name}_image": self._image(name) for name in cameras},
            "robot0_eef_pos": position,
            "robot0_eef_quat": self.panda.quat_xyzw(self.data),
            "robot0_gripper_qpos": self.panda.finger_qpos(self.data),
            "object": self.object_state(),
        }

    def get_state(self) -> np.ndarray:
        """All that the future depends on, float64: physics, the arm's target, the success counter."""
        physics = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, physics, _STATE)
        return np.concatenate([physics, self.panda.target, [self._success_steps]])

    def stored_state(self) -> np.ndarray:
        """What datasets keep of a state: all of it."""
        return self.get_state()

    def set_state(self, state: np.ndarray) -> None:
        """Goes back to a state from `get_state`; the simulation then continues bit for bit as before.

        Raises ValueError if `state` has another length (it is another scene's) or impossible numbers.
        """
        state = np.asarray(state, dtype=np.float64)
        physics_size = mujoco.mj_stateSize(self.model, _STATE)
        if state.shape != (physics_size + TARGET_SIZE + 1,):
            raise ValueError(f"state has shape {state.shape}; here it is ({physics_size + TARGET_SIZE + 1},)")
        check_state(state)
        physics = state[:physics_size]
        mujoco.mj_setState(self.model, self.data, physics, _STATE)
        self.restore_look()
        mujoco.mj_forward(self.model, self.data)
        mujoco.mj_setState(self.model, self.data, physics, _STATE)  # mj_forward touches the warm start
        self.panda.target = state[physics_size:-1].copy()
        self._success_steps = int(state[-1])

    def pads_touching(self, geoms: Sequence[int] | np.ndarray) -> int:
        """How many of the two pads touch any of `geoms` (ids)."""
        pairs = self.data.contact.geom  # ncon 2
        touching = pairs[np.isin(pairs, geoms).any(axis=1)]
        return sum(bool((touching == pad).any()) for pad in self._pads)

    def model_xml(self) -> str:
        """The compiled scene as one self-contained MJCF document."""
        return self._xml

    def _move_arm_to_start(self) -> None:
        noise = self.np_random.uniform(-START_NOISE_RAD, START_NOISE_RAD, size=HOME_QPOS.size)
        self.panda.reset(self.data, HOME_QPOS + noise)

    def _info(self) -> dict[str, Any]:
        return {"success": self._success_steps >= SUCCESS_STEPS}

    def _image(self, camera: str) -> np.ndarray:
        if self._renderer is None:
            try:
                self._renderer = mujoco.Renderer(self.model, *self.image_size)
            except (AttributeError, ImportError, RuntimeError, mujoco.FatalError) as error:
                raise RuntimeError(opengl.explain(error)) from error
        self._renderer.update_scene(self.data, camera)
        return self._renderer.render()
