"""`benchmarks/peers.py`: each contender trains and acts; what was not reached is said as a lower bound."""

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from s2robot.collecting.render import render
from s2robot.rollouts.results import EpisodeResult

CPU = torch.device("cpu")


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return import_module("peers")


@pytest.fixture(scope="module")
def frames_of_84(demos_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peers") / "demos_84.hdf5"
    render(demos_path, path, (84, 84), None)
    return path


@pytest.mark.parametrize("name", ["frozen S2", "ResNet-18, 84", "robomimic"])
def test_a_contender_learns_and_acts(
    name: str, peers: ModuleType, frames_of_84: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))
    arguments = argparse.Namespace(size=84, sizes=(32,), steps=1, backend="torch", tiny=True)
    _, make = peers.CONTENDERS[name]

    contender = make({84: frames_of_84}, arguments, CPU)
    contender.train()

    assert contender.steps >= 1 and contender.settings["batch"] == (16 if name == "robomimic" else 64)
    actor = contender.agent() if name != "robomimic" else contender
    shapes = {"robot0_eef_pos": (3,), "robot0_eef_quat": (4,), "robot0_gripper_qpos": (2,)}
    obs = {key: np.zeros((1, 1, *shapes.get(key, (84, 84, 3))), np.float32) for key in actor.obs_keys}
    obs = {key: one.astype(np.uint8) if key.endswith("image") else one for key, one in obs.items()}
    actions, _ = actor.act(obs, [None], [torch.Generator()])
    assert actions.shape[0] == 1 and actions.shape[1] >= actor.action_steps and actions.shape[2] == 7
    assert np.isfinite(actions).all()


def test_a_rate_that_was_not_reached_is_a_lower_bound(peers: ModuleType) -> None:
    def course(name: str, successes: str) -> object:
        looks = [{"seconds": 10.0, "steps": 4, "success": 0.5}, {"seconds": 20.0, "steps": 9, "success": 0.6}]
        episodes = [EpisodeResult(i, one == "1", 5, 1.0, 0.1) for i, one in enumerate(successes)]
        return peers.Course({"prepared_s": 2.0}, looks, episodes)

    ours, other = course("a", "11100"), course("b", "10000")
    assert (ours.seconds_to(0.5), ours.seconds_to(0.55), ours.seconds_to(0.9)) == ("10", "20", "> 20")  # type: ignore[attr-defined]
    _, first, second = peers.lines({"frozen S2": ours, "peer": other})
    assert "    2.000          10        > 20  3 of 5 = 60.0%" in first
    assert "1 of 5 = 20.0%" in second and "frozen S2 +40.0 points" in second and "p = 0.5" in second
