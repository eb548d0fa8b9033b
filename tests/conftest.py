"""Inputs that several rooms' tests share: small, but made by the real thing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import config, install_import_hook

# Before s2robot is imported: declared types and shapes are checked in every call; an int passes for a float.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook(["s2robot", "envs"], CHECKER)

from s2robot.collecting.collect import Collection, collect  # noqa: E402

SMALL = Collection("s2robot/PickCube-v0", episodes=3, seed=5, env_kwargs={"image_size": 64})


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As where a user calls: no types are checked, so a wrong one reaches the function's own message."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def demos_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three disturbed demonstrations of PickCube, two cameras at 64x64. Not to be changed."""
    path = tmp_path_factory.mktemp("demos") / "small.hdf5"
    collect(SMALL, path, workers=2)
    return path
