"""Rendering and torch in one process, whichever is imported first."""

import subprocess
import sys

import pytest

RENDER = "import envs, gymnasium; gymnasium.make('s2robot/PickCube-v0', image_size=32).reset(seed=0)"
TORCH = "import torch, torchvision, torch._dynamo"


@pytest.mark.parametrize("order", [(RENDER, TORCH), (TORCH, RENDER)])
def test_order_of_imports_does_not_matter(order: tuple[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "; ".join(order)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
