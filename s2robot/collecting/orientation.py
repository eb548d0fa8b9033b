"""Whether frames are the right way up: they are compared with what their states look like when rendered."""

from contextlib import closing

import numpy as np

from s2robot.collecting.recorded import render_state, scene_for, states_of
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.images import TRANSFORMS
from s2robot.datasets.tools.validation import Findings
from s2robot.errors import UserError

MARGIN = 0.5  # another way round must leave less than this share of the squared difference
ALIKE = 0.3  # largest squared difference, in units of the frame's own variance, of frames of one scene
TURNS: dict[str, tuple[int, ...]] = {**TRANSFORMS, "mirror_columns": (1,)}  # axes of (h, w, 3) to flip
SAYS = {
    "flip_rows": "they are upside-down (rows flipped); data.orientation=flipped_rows turns them",
    "rotate_180": "they are rotated by 180 degrees; data.orientation=rotated_180 turns them",
    "mirror_columns": "they are mirrored left to right",
}


def compare_with_states(findings: Findings) -> None:
    """Add errors for cameras whose frames are the wrong way up, or a note why that cannot be known."""
    dataset = findings.healthy
    assert dataset is not None
    try:
        for camera in dataset.cameras:
            if told := _compare(dataset, camera):
                one = dataset.records[0]
                findings.errors.append(dataset.problem(one, dataset.cameras[camera].key, told))
    except UserError as error:
        findings.notes.append(f"not compared with a new rendering: {error}")


def _compare(dataset: Dataset, camera: str) -> str:
    """What is wrong with a camera's frames in the middle of the first episode, "" if nothing is known."""
    one, row = dataset.records[0], dataset.lengths[0] // 2
    state = states_of(one, row, row + 1)[0]
    with closing(scene_for(dataset, one, dataset.image_size(camera))) as scene:
        if camera not in scene.cameras:
            raise UserError(f"the environment has no camera {camera}")
        rendered = render_state(scene, one, state, (camera,))[0].astype(np.float64)
    stored = dataset.read_frames(one.name, camera, row, row + 1)[0].astype(np.float64)
    variance = max(float(rendered.var()), 1.0)
    off = {
        name: float(((np.flip(stored, axes) - rendered) ** 2).mean()) / variance
        for name, axes in TURNS.items()
    }
    best = min(off, key=off.__getitem__)
    if best and off[best] < MARGIN * off[""] and off[best] < ALIKE:
        return f"compared with a new rendering of row {row} {SAYS[best]}"
    return ""
