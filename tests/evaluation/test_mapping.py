"""`env.keys` and `env.orientation`: names and orientation of an environment against those of a dataset."""

import re
from pathlib import Path

import numpy as np
import pytest

from s2robot.errors import UserError
from s2robot.evaluation.mapping import observation_mapping
from s2robot.evaluation.options import EnvConfig
from s2robot.rollouts.environment import check_environment
from s2robot.rollouts.episodes import run_episodes
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.types import CameraSpec, Spec
from tests.rollouts.renamed_env import MIRRORED, RENAMED
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import SIZES

NAMES = {"agentview": "agentview_rgb", "pos": "dot"}


def spec(flips: tuple[int, ...] = ()) -> Spec:
    camera = CameraSpec("agentview_image", SIZES["agentview"], (4, 2, 2), flips=flips)
    return Spec(RENAMED, {}, 2, {"pos": 2}, {"agentview": camera})


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes import the environments."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "rollouts"))


def seen(env_id: str, mapping: ObservationMapping | None) -> tuple[list[dict[str, np.ndarray]], list[tuple]]:
    """What an actor saw in an episode, and how the episode ended."""
    actor = TinyActor()
    results = run_episodes(actor, env_id, [3], workers=1, mapping=mapping)
    return actor.seen, [(one.seed, one.success, one.steps, one.return_) for one in results]


def assert_same(env_id: str, mapping: ObservationMapping) -> None:
    """The actor sees in this environment what it sees in `tiny_env`."""
    found, ended = seen(env_id, mapping)
    expected, ended_there = seen("tests.rollouts.tiny_env:Tiny-v0", None)
    assert ended == ended_there
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, values in other.items():
            np.testing.assert_array_equal(one[key], values)


@pytest.mark.parametrize("orientation", ["flipped_rows", {"agentview": "flipped_rows"}])
def test_names_and_orientation_of_an_environment(orientation: object) -> None:
    mapping = observation_mapping(spec(), RENAMED, EnvConfig(keys=NAMES, orientation=orientation))
    assert "agentview_rgb are flipped" in mapping.told
    check_environment(spec(), RENAMED.partition(":")[2], {}, mapping)
    assert_same(RENAMED, mapping)


def test_frames_that_are_rendered_on_demand_are_flipped_too() -> None:
    assert_same(MIRRORED, observation_mapping(spec(), MIRRORED, EnvConfig(orientation="flipped_rows")))


@pytest.mark.parametrize(
    ("env_id", "recorded", "orientation", "expected"),
    [
        ("mine:Arm-v0", (0,), None, (0,)),  # as the dataset stores them
        ("mine:Arm-v0", (0,), "upright", ()),
        ("mine:Arm-v0", (), None, ()),
        ("mine:Arm-v0", (), "rotated_180", (0, 1)),
        ("s2robot/robosuite-Lift-v0", (0,), None, ()),  # our own render upright, whoever stored what
        ("envs:s2robot/robosuite-Lift-v0", (0,), None, ()),
        ("s2robot/robosuite-Lift-v0", (), "flipped_rows", (0,)),
    ],
)
def test_which_way_up_an_environment_is_expected_to_render(
    env_id: str, recorded: tuple[int, ...], orientation: str | None, expected: tuple[int, ...]
) -> None:
    mapping = observation_mapping(spec(recorded), env_id, EnvConfig(orientation=orientation))
    assert mapping.flips == ({"agentview_image": expected} if expected else {})
    assert bool(mapping.told) == bool(expected)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (EnvConfig(keys={"agentvew": "a"}), r"'agentvew'; did you mean 'agentview'"),
        (EnvConfig(orientation={"wrist": "upright"}), "unknown camera in env.orientation 'wrist'"),
    ],
)
def test_unknown_names_are_refused(env: EnvConfig, told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        observation_mapping(spec(), RENAMED, env)
    assert "\n" not in str(raised.value)


def test_an_unknown_orientation_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown env.orientation 'upsidedown'"):
        EnvConfig(orientation="upsidedown").check()


def test_an_environment_without_the_named_key_is_refused() -> None:
    mapping = observation_mapping(spec(), RENAMED, EnvConfig(keys={"pos": "point"}))
    told = "does not observe 'agentview_image'; it observes agentview_rgb, dot, goal, wrist_image"
    with pytest.raises(UserError, match=re.escape(told)) as raised:
        check_environment(spec(), "Renamed-v0", {}, mapping)
    assert "env.keys=" in str(raised.value)
