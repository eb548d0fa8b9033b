"""Every example runs as its first lines say; the plugin has a test of its own among the commands."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from s2robot.runs import checkpoint

ROOT = Path(__file__).parents[2]


def run_example(name: str, *words: str, cwd: Path) -> str:
    """What an example prints, run in a process of its own outside of the repository."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "S2ROBOT_CACHE": str(cwd), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, str(ROOT / "examples" / name), *words]
    done = subprocess.run(program, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_encode_frames(tmp_path: Path) -> None:
    assert "(448, 448, 3) -> (1, 224, 14, 14)" in run_example("encode_frames.py", cwd=tmp_path)


@pytest.fixture(scope="module")
def folder(demos_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `checkpoints` are of a policy that was trained from Python."""
    folder = tmp_path_factory.mktemp("trained")
    printed = run_example("train_from_python.py", str(demos_path), "checkpoints", "4", cwd=folder)
    assert "step 4: loss" in printed
    return folder


def test_train_from_python(folder: Path) -> None:
    loaded = checkpoint.load(folder / "checkpoints" / "last")
    assert (loaded.step, loaded.policy.spec.env_id) == (4, "s2robot/PickCube-v0")


@pytest.mark.parametrize("data", [True, False])
def test_act_at_10_hz(data: bool, folder: Path, demos_path: Path) -> None:
    words = ["checkpoints", str(demos_path) if data else "", "6"]
    printed = run_example("act_at_10_hz.py", *words, cwd=folder)
    assert "late: median" in printed and "act: median" in printed


def test_mistakes_in_acting_at_10_hz_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for words, told in (([], "python examples/act_at_10_hz.py runs/demo"), (["no"], "error: no checkpoint")):
        monkeypatch.setattr(sys, "argv", ["act_at_10_hz.py", *words])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit, match=told):
            runpy.run_path(str(ROOT / "examples" / "act_at_10_hz.py"), run_name="__main__")
