"""Another light, table and camera pose in every episode, on request: another look, the same physics.

What was drawn is kept in `mjData.userdata`, so that a saved state brings its look along.
"""

import mujoco
import numpy as np

LIGHT_TILT = 0.5  # of the light's direction, added to its x and y
BRIGHTNESS = 0.35  # share by which the light is brighter or darker
SHADE = 0.12  # of red, green and blue of table and mat
CAMERA_M = 0.08  # along each axis; it goes on looking at the middle of the workspace
SIZE = 12  # numbers in [-1, 1]: light 3, table 3, mat 3, camera 3


class Variation:
    """Looks of one model; the one it was loaded with is the middle of them."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._camera = model.camera("agentview").id
        self._surfaces = [model.material(name).id for name in ("table", "mat")]
        self._light_dir = model.light_dir[0].copy()
        self._light_diffuse = model.light_diffuse[0].copy()
        self._rgba = model.mat_rgba[self._surfaces].copy()
        self._camera_pos = model.cam_pos[self._camera].copy()

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Numbers (12,) in [-1, 1] that say how the scene looks."""
        return rng.uniform(-1.0, 1.0, SIZE)

    def apply(self, numbers: np.ndarray) -> None:
        """Gives the model the look of `numbers` (12,), before poses of lights and cameras are computed."""
        light, surfaces, camera = numbers[:3], numbers[3:9].reshape(2, 3), numbers[9:]
        direction = self._light_dir + LIGHT_TILT * np.array([light[0], light[1], 0.0])
        self._model.light_dir[0] = direction / np.linalg.norm(direction)
        self._model.light_diffuse[0] = self._light_diffuse * (1 + BRIGHTNESS * light[2])
        self._model.mat_rgba[self._surfaces, :3] = np.clip(self._rgba[:, :3] + SHADE * surfaces, 0.0, 1.0)
        self._model.cam_pos[self._camera] = self._camera_pos + CAMERA_M * camera
