"""OpenGL: which starts, what draws, and whether a scene of known colours comes out right.

Four glowing boxes fill the picture, so that an upside-down, mirrored, black or otherwise wrong frame shows;
a second camera sees a wall of another colour, so that a camera in another's place shows.
"""

import os
import time
from contextlib import closing

import gymnasium
import numpy as np

from s2robot.errors import UserError
from s2robot.machine.finding import Finding
from s2robot.rollouts.environment import check_rendering
from s2robot.rollouts.resolving import own_envs

SIZE = 64
TIMED_FRAMES, TIMED_SIZE = 20, 448
SHADES = 12  # of 255, that a driver may differ by
QUARTERS = {
    "upper left": (255, 0, 0),
    "upper right": (0, 255, 0),
    "lower left": (0, 0, 255),
    "lower right": (255, 255, 0),
}
WALL = (0, 255, 255)


def findings() -> list[Finding]:
    try:
        check_rendering()
    except UserError as error:
        return [Finding("rendering", "nothing can be rendered here", str(error), ok=False), *_stale_display()]
    vendor, frames = _drawn()
    backend = os.environ.get("MUJOCO_GL") or "the display's"
    if wrong := wrong_places(frames):
        told = f"MUJOCO_GL={backend} ({vendor}) draws a known scene wrongly: {wrong}"
        other = "osmesa" if backend == "egl" else "egl"
        return [Finding("rendering", told, f"try MUJOCO_GL={other}", ok=False)]
    told = f"MUJOCO_GL={backend}, {vendor}, known scene and cameras right"
    timed = f"{_frame_ms():.1f} ms a frame of {TIMED_SIZE} pixels"
    return [Finding("rendering", f"{told}, {timed}"), *_stale_display()]


def wrong_places(frames: dict[str, np.ndarray]) -> str:
    """Where the frames, uint8 (h, w, 3), of `quarters` and `wall` have other colours than the scene."""
    found = _places(frames["quarters"]) | {"second camera": frames["wall"].mean((0, 1))}
    expected = QUARTERS | {"second camera": WALL}
    return "; ".join(
        f"{place} is {found[place].round().astype(int).tolist()}, should be {list(colour)}"
        for place, colour in expected.items()
        if np.abs(found[place] - colour).max() > SHADES
    )


def _places(frame: np.ndarray) -> dict[str, np.ndarray]:
    """Mean colour (3,) in the middle of each quarter of a frame."""
    step = SIZE // 8
    near, far = slice(step, 3 * step), slice(5 * step, 7 * step)
    rows_columns = ((near, near), (near, far), (far, near), (far, far))
    return {
        place: frame[rows, columns].mean((0, 1))
        for place, (rows, columns) in zip(QUARTERS, rows_columns, strict=True)
    }


def _drawn() -> tuple[str, dict[str, np.ndarray]]:
    """OpenGL's vendor and renderer, and the scene's frames by camera."""
    import mujoco  # not earlier: its import raises an error with a MUJOCO_GL that it does not know
    from OpenGL import GL  # after MuJoCo has chosen the platform

    model = mujoco.MjModel.from_xml_string(_scene())
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with closing(mujoco.Renderer(model, SIZE, SIZE)) as renderer:
        frames = {}
        for camera in ("quarters", "wall"):
            renderer.update_scene(data, camera)
            frames[camera] = renderer.render()
        vendor, drawn_by = (GL.glGetString(name) for name in (GL.GL_VENDOR, GL.GL_RENDERER))
    return ", ".join(text.decode(errors="replace") for text in (vendor, drawn_by) if text), frames


def _scene() -> str:
    """Boxes around the origin that glow in their own colours, seen by two cameras that look away from it."""
    materials, boxes = [], []
    for number, (x, y, colour) in enumerate(
        [(-1, 1, "1 0 0"), (1, 1, "0 1 0"), (-1, -1, "0 0 1"), (1, -1, "1 1 0")]
    ):
        materials.append(f'<material name="m{number}" rgba="{colour} 1" emission="1" specular="0"/>')
        boxes.append(f'<geom type="box" size="1 1 .1" pos="{x} {y} -2" material="m{number}"/>')
    return f"""<mujoco>
      <visual><headlight ambient="0 0 0" diffuse="0 0 0" specular="0 0 0"/></visual>
      <asset>{"".join(materials)}<material name="wall" rgba="0 1 1 1" emission="1" specular="0"/></asset>
      <worldbody>
        <camera name="wall" pos="0 0 0" xyaxes="1 0 0 0 -1 0" fovy="45"/>
        <camera name="quarters" pos="0 0 0" xyaxes="1 0 0 0 1 0" fovy="45"/>
        <geom type="box" size="4 4 .1" pos="0 0 3" material="wall"/>
        {"".join(boxes)}
      </worldbody>
    </mujoco>"""


def _frame_ms() -> float:
    own_envs()
    with closing(gymnasium.make("s2robot/PickCube-v0", image_size=TIMED_SIZE)) as env:
        env.reset(seed=0)
        started = time.perf_counter()
        for _ in range(TIMED_FRAMES):
            env.unwrapped.observe(("agentview",))  # type: ignore[attr-defined]
        return (time.perf_counter() - started) / TIMED_FRAMES * 1e3


def _stale_display() -> list[Finding]:
    display = os.environ.get("DISPLAY")
    if display and not own_envs().displays.display_answers():
        return [Finding("display", f"DISPLAY={display!r} does not answer, and is not used", "unset DISPLAY")]
    return []
