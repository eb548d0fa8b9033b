"""Another light, camera pose, other colours and textures in every episode, on request: the same physics.

What was drawn is kept in `mjData.userdata`, so that a saved state brings its look along.
"""

import mujoco
import numpy as np

LIGHT_TILT = 0.5  # of the light's direction, added to its x and y
BRIGHTNESS = 0.35  # share by which the light is brighter or darker
SHADE = 0.12  # of red, green and blue of each surface
CAMERA_M = 0.08  # along each axis; it goes on looking at the middle of the workspace

SURFACES = ("table", "mat", "cube")  # materials whose colour varies, where a scene has them
TEXTURED = ("table", "mat")
TEXTURES = {  # MuJoCo's own, so that a scene stays one self-contained document
    "checker": {"builtin": mujoco.mjtBuiltin.mjBUILTIN_CHECKER},
    "spots": {"builtin": mujoco.mjtBuiltin.mjBUILTIN_GRADIENT},
    "grain": {
        "builtin": mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        "mark": mujoco.mjtMark.mjMARK_RANDOM,
        "random": 0.2,
    },
    "tiles": {"builtin": mujoco.mjtBuiltin.mjBUILTIN_FLAT, "mark": mujoco.mjtMark.mjMARK_CROSS},
}
TILES_PER_M = 8
DARK = 0.55  # of what is dark in a texture; the material's colour is multiplied with it
MARK = 0.3

# Numbers in [-1, 1] that are drawn: light, camera, colours, textures.
SIZE = 3 + 3 + 3 * len(SURFACES) + len(TEXTURED)

_RGB = mujoco.mjtTextureRole.mjTEXROLE_RGB.value


def edit_scene(spec: mujoco.MjSpec) -> None:
    """Gives a scene the textures it may show, and space in its state for the drawn numbers."""
    spec.nuserdata = max(spec.nuserdata, 0) + SIZE
    for name, options in TEXTURES.items():
        spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            rgb1=[1.0] * 3,
            rgb2=[DARK] * 3,
            markrgb=[MARK] * 3,
            width=128,
            height=128,
            **options,
        )
    for name in TEXTURED:
        material = spec.material(name)
        material.texuniform = True
        material.texrepeat = [TILES_PER_M, TILES_PER_M]


class Variation:
    """Looks of one model; the one it was loaded with is the middle of them."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._camera = model.camera("agentview").id
        names = [model.material(i).name for i in range(model.nmat)]
        self._surfaces = [names.index(name) for name in SURFACES if name in names]
        self._textured = [names.index(name) for name in TEXTURED]
        self._textures = [-1, *(model.texture(name).id for name in TEXTURES)]  # -1: none
        self._light_dir = model.light_dir[0].copy()
        self._light_diffuse = model.light_diffuse[0].copy()
        self._rgba = model.mat_rgba[self._surfaces].copy()
        self._camera_pos = model.cam_pos[self._camera].copy()

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Numbers (SIZE,) in [-1, 1] that say how the scene looks."""
        return rng.uniform(-1.0, 1.0, SIZE)

    def apply(self, numbers: np.ndarray) -> None:
        """Gives the model the look of `numbers` (SIZE,), before poses of lights and cameras are computed."""
        light, camera, shades, textures = np.split(numbers, [3, 6, SIZE - len(TEXTURED)])
        direction = self._light_dir + LIGHT_TILT * np.array([light[0], light[1], 0.0])
        self._model.light_dir[0] = direction / np.linalg.norm(direction)
        self._model.light_diffuse[0] = self._light_diffuse * (1 + BRIGHTNESS * light[2])
        self._model.cam_pos[self._camera] = self._camera_pos + CAMERA_M * camera
        rgb = self._rgba[:, :3] + SHADE * shades.reshape(-1, 3)[: len(self._surfaces)]
        self._model.mat_rgba[self._surfaces, :3] = np.clip(rgb, 0.0, 1.0)
        share = np.clip((textures + 1) / 2, 0.0, 1.0 - 1e-9)
        chosen = (share * len(self._textures)).astype(int)
        self._model.mat_texid[self._textured, _RGB] = np.array(self._textures)[chosen]
