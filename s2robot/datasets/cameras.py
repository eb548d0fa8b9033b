"""The cameras of a dataset: which arrays they are, their size, and how their frames become upright."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s2robot.datasets import images
from s2robot.datasets.episodes import Episode
from s2robot.datasets.keys import Keys
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.errors import UserError, unknown_name


@dataclass(frozen=True)
class Camera:
    """Where a camera's frames are and how they become upright."""

    key: str  # of the format, e.g. "obs/agentview_image"
    size: tuple[int, int]  # height and width in pixels
    transform: str = ""  # name in `images.TRANSFORMS`, which stored frames go through


def cameras_of(
    keys: Keys, records: Sequence[Episode], options: DataConfig, stored: Callable[[], tuple[str, str]]
) -> dict[str, Camera]:
    """The cameras that the options choose, by name.

    `stored` tells how frames are stored where the options do not, as `Dataset.stored_orientation`. Raises
    `UserError` for what is no array of frames, and for an orientation of a camera that is not there.
    """
    chosen = keys.cameras(options.cameras)
    given = options.orientation
    if isinstance(given, dict):
        frames = {keys.camera_name(key) for key, one in keys.arrays.items() if one.kind == "frames"}
        for name in given.keys() - chosen.keys() - frames:
            raise unknown_name("camera in data.orientation", name, chosen)
    cameras = {}
    for name, key in chosen.items():
        found = keys.arrays[key]
        if found.kind != "frames":
            first = next(one.recorded for one in records if key in one.recorded.arrays)
            told = f"it is {found.describe()}; {found.note or images.EXPECTED}"
            raise UserError(str(Problem(told, str(first.file), first.name, key)))
        said = given.get(name) if isinstance(given, dict) else given
        cameras[name] = Camera(
            key, (found.shape[0], found.shape[1]), images.TRANSFORM_OF[said or stored()[0]]
        )
    return cameras
