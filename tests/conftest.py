"""Inputs that several rooms' tests share: small, but made by the real thing."""

from pathlib import Path

import pytest

from s2robot.collecting.collect import Collection, collect

SMALL = Collection("s2robot/PickCube-v0", episodes=3, seed=5, env_kwargs={"image_size": 64})


@pytest.fixture(scope="session")
def demos_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three disturbed demonstrations of PickCube, two cameras at 64x64. Not to be changed."""
    path = tmp_path_factory.mktemp("demos") / "small.hdf5"
    collect(SMALL, path, workers=2)
    return path
