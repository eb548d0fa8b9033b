"""Trainings of a second on real demonstrations and real features, started as a user's command does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from s2robot.commands import train
from s2robot.commands.cli.entry import options_of

ROOT = Path(__file__).parents[2]
STEPS = 12
POLICIES = {"bc": ["policy.hidden=[16]"], "diffusion_unet": ["policy.channels=[8,16]"]}


@pytest.fixture(scope="session", autouse=True)
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("S2ROBOT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def trained(demos_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a finished bc training. Not to be changed."""
    run_dir = tmp_path_factory.mktemp("runs") / "trained"
    run_training(demos_path, run_dir)
    return run_dir


def options(demos: Path, run_dir: Path, policy: str = "bc", *more: str) -> list[str]:
    """What is typed behind `train.py`; `more` may say otherwise."""
    intervals = ["optim.log_every=3", "optim.valid_every=6", "optim.checkpoint_every=4"]
    fast = ["encoder.sizes=[64]", "encoder.backend=torch", "device=cpu", "optim.batch_size=8"]
    schedule = [f"optim.steps={STEPS}", "optim.warmup_steps=2", *intervals]
    chosen = [f"policy={policy}", "policy.obs_steps=2", "policy.head_args.keypoints=4"]
    small = POLICIES.get(policy, [])
    return [f"data.path={demos}", f"run_dir={run_dir}", *fast, *schedule, *chosen, *small, *more]


def run_training(demos: Path, run_dir: Path, policy: str = "bc", *more: str) -> None:
    """`python train.py ...` in this process, with one thread."""
    torch.set_num_threads(1)
    train.main(options_of("train", options(demos, run_dir, policy, *more)))


def start_training(demos: Path, run_dir: Path, *more: str) -> subprocess.Popen[str]:
    """`python train.py ...` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, ROOT / "train.py", *options(demos, run_dir, "bc", *more)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights(run_dir: Path, link: str = "last") -> dict[str, bytes]:
    """The bytes of a checkpoint's tensors: weights, averages, optimiser, sampled frames."""
    files = sorted((run_dir / "checkpoints" / link).glob("*.safetensors"))
    assert len(files) == 3
    return {file.name: file.read_bytes() for file in files}


def description(run_dir: Path) -> dict[str, Any]:
    return json.loads((run_dir / "checkpoints" / "last" / "checkpoint.json").read_text())
