"""A new user's whole way, with the README's commands: own file, no simulator, to a policy in use."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import s2robot
from tests.commands.command_line import ROOT, run_process
from tests.datasets.small_files import demo, write

TINY = ["encoder.sizes=[64,128]", "encoder.tile=64", "optim.steps=4", "optim.batch_size=4"]
TINY += ["optim.warmup_steps=1", "optim.log_every=2", "optim.valid_every=4", "optim.checkpoint_every=4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's folder: ten recorded demonstrations that name no environment."""
    folder = tmp_path_factory.mktemp("new user")
    write(folder / "my.hdf5", [demo(6, seed) for seed in range(10)], env_args=None)
    return folder


def run(folder: Path, *words: str) -> str:
    """A command as it is typed; what it says."""
    done = run_process("s2robot", *words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_an_own_file_to_a_served_and_exported_policy(folder: Path) -> None:
    assert json.loads(run(folder, "info", "my.hdf5", "--json"))["episodes"] == 10
    run(folder, "validate", "my.hdf5")
    run(folder, "train", "data.path=my.hdf5", "run_dir=runs/my", *TINY)
    validation = json.loads((folder / "runs/my/validation.json").read_text())
    assert validation["episodes"]
    run(folder, "report", "runs/my")
    assert "on demonstrations" in (folder / "runs/my/report.html").read_text()

    policy = s2robot.load_policy(folder / "runs/my")
    obs = {key: np.zeros(said["shape"], said["dtype"]) for key, said in policy.inputs.items()}
    actions = [policy.act(obs) for _ in range(3)]
    assert all(action.shape == (7,) and np.isfinite(action).all() for action in actions)

    served = served_actions(folder)
    assert served.count("[") == 2

    run(folder, "export", "runs/my", "--out", "policy.pt2")
    program = torch.export.load(folder / "policy.pt2")
    assert program.module() is not None
    assert json.loads(next(folder.glob("policy*.json")).read_text())["inputs"]


def served_actions(folder: Path) -> str:
    """What the client of `examples/` prints after two steps with `s2robot serve`."""
    server = [sys.executable, "-m", "s2robot", "serve", "runs/my", "--port", "0"]
    with subprocess.Popen(server, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" on ")[1].split(",")[0]
        client = [sys.executable, str(ROOT / "examples" / "client.py"), url, "2"]
        done = subprocess.run(client, capture_output=True, text=True, check=True)
        process.terminate()
        assert process.wait(60) == 0
    return done.stdout
