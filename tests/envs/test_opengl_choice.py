"""Which OpenGL is chosen, and what is said when there is none."""

import os
import subprocess
import sys
from typing import Any

import pytest

from envs import opengl

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "DISPLAY")}


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("imports", ["envs", "mujoco, envs"])
def test_unset_it_is_chosen_and_renders(imports: Any) -> None:
    code = (
        f"import os, {imports}, gymnasium;"
        "e = gymnasium.make('s2robot/PickCube-v0', image_size=32);"
        "print(os.environ['MUJOCO_GL'], e.reset(seed=0)[0]['agentview_image'].std() > 10)"
    )
    out = run(code)
    assert out.stdout.split() in (["egl", "True"], ["osmesa", "True"]), out.stderr


def test_egl_is_preferred_and_osmesa_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opengl, "_tell_mujoco", lambda: None)  # this process keeps what it renders with
    for egl, osmesa, choice in [(True, True, "egl"), (False, True, "osmesa"), (False, False, "disabled")]:
        for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(opengl, "egl_starts", lambda egl=egl: egl)
        monkeypatch.setattr(opengl, "osmesa_loads", lambda osmesa=osmesa: osmesa)
        assert opengl.configure() == choice


def test_the_users_choice_and_a_display_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opengl, "egl_starts", lambda: True)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert opengl.configure() == "osmesa"
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setenv("DISPLAY", ":0")
    assert opengl.configure() == ""


def test_without_opengl_physics_works_and_rendering_names_the_packages() -> None:
    code = (
        "import envs, gymnasium, numpy as np\n"
        "e = gymnasium.make('s2robot/PickCube-v0', disable_env_checker=True)\n"
        "e.unwrapped.images_in_step = False\n"
        "e.reset(seed=0); e.step(np.zeros(7, np.float32)); print('physics works')\n"
        "try:\n"
        "    e.unwrapped.observe()\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    lines = run(code, MUJOCO_GL="disabled").stdout.splitlines()
    assert lines == ["physics works", opengl.MISSING]
    assert "libegl1" in opengl.MISSING and "libosmesa6" in opengl.MISSING


def test_a_backend_that_cannot_start_is_told_in_one_line() -> None:
    code = (
        "import envs, gymnasium\n"
        "e = gymnasium.make('s2robot/PickCube-v0', disable_env_checker=True)\n"
        "try:\n"
        "    e.reset(seed=0)\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    lines = run(code, MUJOCO_GL="glfw").stdout.splitlines()
    assert len(lines) == 1 and "MUJOCO_GL='glfw'" in lines[0]
