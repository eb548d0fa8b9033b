"""Frames of a robosuite scene: the right way up, at any size, with or without what makes them slow."""

import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco
import numpy as np

from envs import opengl
from envs.possible import check_state

COLLISION_GEOMS = 0  # the group that robosuite does not show
# Of a scene that comes from anyone: what reads other files or makes many bodies of few words
NOT_LOADED = {"include", "replicate", "composite", "flexcomp", "plugin", "extension", "attach"}
FILES = {"file", "fileright", "fileleft", "fileup", "filedown", "filefront", "fileback"}
FOLDERS = {"meshdir", "texturedir", "assetdir"}


class StoredScene:
    """A scene as a dataset keeps it, a demonstration's `model_file`, and its states; no robosuite task runs.

    So demonstrations of any robosuite release can be shown whose meshes and textures are still there.
    `shadows` and multi-`samples` are what costs with a software renderer. Raises ValueError for a scene that
    cannot be loaded.
    """

    def __init__(self, xml: str, size: tuple[int, int], shadows: bool, samples: int) -> None:
        self.model = mujoco.MjModel.from_xml_string(local_assets(xml))
        self.model.vis.global_.offheight, self.model.vis.global_.offwidth = size
        self.model.vis.quality.offsamples = samples
        self.data = mujoco.MjData(self.model)
        self.cameras = tuple(self.model.camera(i).name for i in range(self.model.ncam))
        try:
            self._renderer = mujoco.Renderer(self.model, *size)
        except (AttributeError, ImportError, RuntimeError, mujoco.FatalError) as error:
            raise RuntimeError(opengl.explain(error)) from error
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        self._option = mujoco.MjvOption()
        self._option.geomgroup[COLLISION_GEOMS] = 0
        self._option.sitegroup[:] = 0  # marks for people; robosuite makes them transparent

    def render(self, state: np.ndarray, cameras: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Frames, uint8 (h, w, 3), top row first, of a state: time, positions (nq,), velocities (nv,).

        Raises ValueError for a state of another length or with impossible numbers.
        """
        nq, nv = self.model.nq, self.model.nv
        if state.shape != (1 + nq + nv,):
            raise ValueError(f"state has shape {state.shape}; this scene's have ({1 + nq + nv},)")
        check_state(state)
        self.data.time, self.data.qpos[:], self.data.qvel[:] = state[0], state[1 : 1 + nq], state[1 + nq :]
        mujoco.mj_forward(self.model, self.data)
        frames = {}
        for camera in cameras:
            self._renderer.update_scene(self.data, camera, self._option)
            frames[camera] = self._renderer.render()
        return frames

    def close(self) -> None:
        self._renderer.close()


def local_assets(xml: str) -> str:
    """The scene with its meshes and textures looked for in the robosuite that is installed here.

    Raises ValueError for one that names any other file, or that would grow without end.
    """
    import robosuite

    home = Path(robosuite.__file__).resolve().parent
    try:
        root = ET.fromstring(xml)
    except ET.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from error
    for element in root.iter():
        if element.tag in NOT_LOADED:
            raise ValueError(f"it has an element <{element.tag}>, which no recorded scene has")
        for name in FILES.intersection(element.keys()):
            inside = (home / element.attrib[name].rpartition("/robosuite/")[2]).resolve()
            if not inside.is_relative_to(home):
                raise ValueError(f"it names the file {element.attrib[name]}, outside of robosuite")
            element.set(name, str(inside))
        for name in FOLDERS.intersection(element.keys()):
            del element.attrib[name]  # all files have a whole path
    return ET.tostring(root, encoding="unicode")
