"""The cameras of the tabletop scenes: where they stand, and whether the one in the hand sees a point."""

import mujoco
import numpy as np

HAND_CAMERA = "robot0_eye_in_hand"
IN_SIGHT = 0.9  # of the way from the middle of the image to its edge


def place_agentview(spec: mujoco.MjSpec, distance_m: float) -> None:
    """Moves agentview to a distance from the middle of the workspace, along its line of sight."""
    camera, middle = spec.camera("agentview"), spec.body("workspace").pos
    sight = camera.pos - middle
    camera.pos = middle + sight * distance_m / np.linalg.norm(sight)


class HandSight:
    """What the hand's camera would see, whether or not the scene has it: starts must not depend on that."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """From a model that still has the camera."""
        camera = model.camera(HAND_CAMERA)
        self._hand = model.body(camera.bodyid[0]).name
        self._position_m = camera.pos.copy()
        self._rotation = np.empty(9)
        mujoco.mju_quat2Mat(self._rotation, camera.quat)
        self._reach = IN_SIGHT * np.tan(np.radians(camera.fovy[0]) / 2)

    def sees(self, data: mujoco.MjData, point_m: np.ndarray) -> bool:
        """Whether a world point (3,) m is well inside the camera's square image; nothing is in its way."""
        hand = data.body(self._hand)
        in_hand = hand.xmat.reshape(3, 3).T @ (point_m - hand.xpos)
        x, y, z = self._rotation.reshape(3, 3).T @ (in_hand - self._position_m)  # looks along -z
        return bool(z < 0 and max(abs(x), abs(y)) <= -z * self._reach)
