"""`env.id`: which of the recorded arguments another environment gets, and what is said about its actions."""

import json
import shutil
from pathlib import Path

import pytest

from s2robot import plugins
from tests.commands.command_line import status_here

OTHERS = "tests.rollouts.other_env"


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of PickCube, recorded with image_size=64; the workers import the other environments too."""
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))


def evaluated(monkeypatch: pytest.MonkeyPatch, run: Path, *words: str) -> int:
    checkpoint = f"checkpoint={run}/checkpoints/last"
    return status_here(
        monkeypatch, "eval.py", checkpoint, "episodes=1", "workers=1", "backend=torch", "device=cpu", *words
    )


def sent(run: Path) -> dict:
    return json.loads((run / "eval" / "default" / "seeds.json").read_text())["env_kwargs"]


def test_an_environment_of_somebody_else_gets_nothing_recorded(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert evaluated(monkeypatch, run, f"env.id={OTHERS}:Small-v0") == 0
    out = capsys.readouterr().out
    assert sent(run) == {}
    assert "Small-v0 is made without what was recorded of s2robot/PickCube-v0: " in out
    assert "warning: tests.rollouts.other_env:Small-v0 takes actions from -0.001 to 0.001, " in out


def test_the_same_environment_and_another_task_of_this_project_get_it(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    short = "env.kwargs.max_episode_steps=4"
    assert evaluated(monkeypatch, run, "env.id=envs:s2robot/PickCube-v0", short) == 0
    assert sent(run)["image_size"] in (64, [64, 64])
    assert "warning" not in capsys.readouterr().out
    assert evaluated(monkeypatch, run, "env.id=s2robot/StackCube-v0", short, "overwrite=true") == 0
    assert sent(run)["image_size"] in (64, [64, 64])
