"""Another light, camera pose, other colours, textures, things beside the task in every episode, on request.

The physics stays the same: what is added beside the task touches nothing.

What was drawn is kept in `mjData.userdata`, so that a saved state brings its look along.
"""

from collections.abc import Sequence

import mujoco
import numpy as np

PARTS = ("light", "camera", "colours", "textures")  # what `vary_scene=True` varies
DISTRACTORS = "distractors"  # varied only when it is named

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
NO_TEXTURE = -1.0

DISTRACTOR_SHAPES = (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_SPHERE)
DISTRACTOR_M = 0.02  # half of a side, radius
DISTRACTOR_X_M, DISTRACTOR_Y_M = (
    (0.34, 0.66),
    (0.20, 0.28),
)  # left and right of where the tasks' objects start
DISTRACTOR_SIZE = 5  # numbers of each: x, y, red, green, blue

_RGB = mujoco.mjtTextureRole.mjTEXROLE_RGB.value


def parts_of(vary_scene: bool | str | Sequence[str]) -> tuple[str, ...]:
    """What varies, by name, from an environment's argument. Raises ValueError for an unknown name."""
    if isinstance(vary_scene, bool):
        return PARTS if vary_scene else ()
    named = (vary_scene,) if isinstance(vary_scene, str) else tuple(vary_scene)
    for name in named:
        if name not in (*PARTS, DISTRACTORS):
            known = ", ".join((*PARTS, DISTRACTORS))
            raise ValueError(f"vary_scene has {name!r}; it must be True, False, or some of {known}")
    return named


def numbers_drawn(parts: Sequence[str]) -> int:
    """How many numbers say how a scene looks of which `parts` vary."""
    distractors = DISTRACTOR_SIZE * len(DISTRACTOR_SHAPES) if DISTRACTORS in parts else 0
    return SIZE + distractors if parts else 0


def edit_scene(spec: mujoco.MjSpec, parts: Sequence[str]) -> None:
    """Gives a scene what it may show, and space in its state for the drawn numbers."""
    spec.nuserdata = max(spec.nuserdata, 0) + numbers_drawn(parts)
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
    if DISTRACTORS in parts:
        for number, shape in enumerate(DISTRACTOR_SHAPES):
            spec.worldbody.add_geom(
                name=f"distractor_{number}",
                type=shape,
                size=[DISTRACTOR_M] * 3,
                pos=[0.0, 0.0, DISTRACTOR_M],
                contype=0,
                conaffinity=0,
            )


class Variation:
    """Looks of one model; the one it was loaded with is the middle of them."""

    def __init__(self, model: mujoco.MjModel, parts: Sequence[str]) -> None:
        self._model = model
        self._parts = parts
        self.size = numbers_drawn(parts)
        self._camera = model.camera("agentview").id
        names = [model.material(i).name for i in range(model.nmat)]
        self._surfaces = [names.index(name) for name in SURFACES if name in names]
        self._textured = [names.index(name) for name in TEXTURED]
        self._textures = [-1, *(model.texture(name).id for name in TEXTURES)]  # -1: none
        self._light_dir = model.light_dir[0].copy()
        self._light_diffuse = model.light_diffuse[0].copy()
        self._rgba = model.mat_rgba[self._surfaces].copy()
        self._camera_pos = model.cam_pos[self._camera].copy()
        shown = len(DISTRACTOR_SHAPES) if DISTRACTORS in parts else 0
        self._distractors = [model.geom(f"distractor_{number}").id for number in range(shown)]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Numbers (size,) in [-1, 1] that say how the scene looks; what does not vary has the middle's."""
        numbers = rng.uniform(-1.0, 1.0, self.size)
        light, camera, shades, textures = np.split(numbers[:SIZE], [3, 6, SIZE - len(TEXTURED)])
        drawn = dict(zip(PARTS, (light, camera, shades, textures), strict=True))
        for part in PARTS:
            if part not in self._parts:
                drawn[part][:] = NO_TEXTURE if part == "textures" else 0.0  # views into `numbers`
        return numbers

    def apply(self, numbers: np.ndarray) -> None:
        """Gives the model the look of `numbers` (size,), before poses of lights and cameras are computed."""
        light, camera, shades, textures = np.split(numbers[:SIZE], [3, 6, SIZE - len(TEXTURED)])
        direction = self._light_dir + LIGHT_TILT * np.array([light[0], light[1], 0.0])
        self._model.light_dir[0] = direction / np.linalg.norm(direction)
        self._model.light_diffuse[0] = self._light_diffuse * (1 + BRIGHTNESS * light[2])
        self._model.cam_pos[self._camera] = self._camera_pos + CAMERA_M * camera
        rgb = self._rgba[:, :3] + SHADE * shades.reshape(-1, 3)[: len(self._surfaces)]
        self._model.mat_rgba[self._surfaces, :3] = np.clip(rgb, 0.0, 1.0)
        share = np.clip((textures + 1) / 2, 0.0, 1.0 - 1e-9)
        chosen = (share * len(self._textures)).astype(int)
        self._model.mat_texid[self._textured, _RGB] = np.array(self._textures)[chosen]
        self._place_distractors(numbers[SIZE:].reshape(-1, DISTRACTOR_SIZE))

    def _place_distractors(self, numbers: np.ndarray) -> None:
        """`numbers` (n, 5), a row for each; they stand left and right of the workspace in turn."""
        for index, (geom, row) in enumerate(zip(self._distractors, (numbers + 1) / 2, strict=True)):
            side = 1 if index % 2 else -1
            x = np.interp(row[0], (0, 1), DISTRACTOR_X_M)
            y = side * np.interp(row[1], (0, 1), DISTRACTOR_Y_M)
            self._model.geom_pos[geom, :2] = x, y
            self._model.geom_rgba[geom, :3] = row[2:]
