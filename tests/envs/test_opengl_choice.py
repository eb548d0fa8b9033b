"""Which OpenGL is chosen, and what is said when there is none."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from envs import displays, opengl

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
        for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY", "PYOPENGL_PLATFORM"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(opengl, "egl_starts", lambda egl=egl: egl)
        monkeypatch.setattr(opengl, "osmesa_loads", lambda osmesa=osmesa: osmesa)
        assert opengl.configure() == choice


def test_the_users_choice_and_a_display_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opengl, "egl_starts", lambda: True)
    monkeypatch.setattr(opengl, "osmesa_loads", lambda: True)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert opengl.configure() == "osmesa"
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setattr(opengl, "display_answers", lambda: True)
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


PROBLEM = "from envs import opengl; print(opengl.problem())"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MUJOCO_GL": "glfw"}, ["MUJOCO_GL='glfw'", "DISPLAY is not set", "leave it unset"]),
        ({"MUJOCO_GL": "glx", "DISPLAY": ":987"}, ["MUJOCO_GL='glx'", "DISPLAY=':987' does not answer"]),
        ({"MUJOCO_GL": "vulkan"}, ["MUJOCO_GL='vulkan' is unknown", "egl, osmesa", "leave it unset"]),
        ({"MUJOCO_GL": "off"}, ["MUJOCO_GL=off turns rendering off"]),
        ({"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "osmesa"}, ["PYOPENGL_PLATFORM='osmesa'", "unset both"]),
        ({"MUJOCO_GL": "egl", "MUJOCO_EGL_DEVICE_ID": "77"}, ["MUJOCO_EGL_DEVICE_ID='77'", "unset it"]),
    ],
)
def test_what_cannot_start_is_told_in_one_line(variables: dict[str, str], told: list[str]) -> None:
    done = run(PROBLEM, **variables)
    assert done.stdout.count("\n") == 1 and all(part in done.stdout for part in told), done.stdout
    assert done.stderr == "", done.stderr


def test_osmesa_that_is_not_installed_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opengl, "osmesa_loads", lambda: False)
    monkeypatch.setattr(opengl, "_refused", "")
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert "libosmesa6" in opengl.problem()


@pytest.mark.parametrize("variables", [{"DISPLAY": ":987"}, {"MUJOCO_GL": ""}, {"DISPLAY": "nonsense"}, {}])
def test_a_display_that_does_not_answer_and_an_empty_choice_are_no_choice(variables: dict[str, str]) -> None:
    done = run("from envs import opengl; print([opengl.problem(), opengl.configure()])", **variables)
    assert done.stdout.strip() in ("['', 'egl']", "['', 'osmesa']"), done.stdout + done.stderr


def test_a_display_answers_where_its_socket_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displays, "X11_SOCKET", f"{tmp_path}/X{{}}")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/X5")
        server.listen()
        for display, answers in (
            (":5", True),
            ("unix:5.0", True),
            (":6", False),
            ("", False),
            ("x:-1", False),
        ):
            monkeypatch.setenv("DISPLAY", display)
            assert displays.display_answers() is answers, display
