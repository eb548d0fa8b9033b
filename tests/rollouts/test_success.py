"""The ways in which environments say success, and those that are refused."""

from typing import Any

import numpy as np
import pytest

from s2robot.errors import UserError
from s2robot.rollouts import run_episodes
from s2robot.rollouts.success import success_of
from tests.rollouts.rollout_cases import SEEDS, nothing_left_behind, numbers  # noqa: F401 (fixture)
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import TINY


@pytest.mark.parametrize("truth", [False, True])
def test_what_says_success(truth: bool) -> None:
    for said in (
        truth,
        int(truth),
        float(truth),  # as Meta-World does
        np.bool_(truth),
        np.array(truth),
        np.array([truth]),
        np.array([[float(truth)]]),
        np.float32(truth),  # as Fetch of gymnasium-robotics does
        {"task": truth},
        {"task": np.array([truth]), "grasp": not truth},
    ):
        assert success_of({"success": said}) is truth
        assert success_of({"is_success": said}) is truth


def test_success_stands_before_is_success_and_either_may_be_absent() -> None:
    assert success_of({"success": False, "is_success": True}) is False
    assert success_of({"reward": 1.0}) is None


@pytest.mark.parametrize(
    "said",
    [
        *(None, "False", "", 2, 0.5, [True], np.nan, float("nan")),
        *(np.array([True, False]), np.array([]), np.array([0.7]), np.array(["True"])),
        *({"task": None}, {"grasp": True}, {}),
    ],
    ids=repr,
)
def test_what_is_neither_true_nor_false_is_refused(said: Any) -> None:
    with pytest.raises(UserError, match=r"info\['success'\] is .* must be a bool"):
        success_of({"success": said})


@pytest.mark.parametrize("says", ["array", "robomimic", "final"])
def test_each_way_gives_the_same_results(says: str) -> None:
    expected = numbers(run_episodes(TinyActor(), TINY, SEEDS, workers=2))

    assert numbers(run_episodes(TinyActor(), TINY, SEEDS, {"says": says}, workers=2)) == expected
    assert {success for _, success, *_ in expected} == {False, True}


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("never", r"tiny_env:Tiny-v0 has no info\['success'\] or info\['is_success'\] in any step"),
        ("none", r"tiny_env:Tiny-v0: info\['success'\] is None"),
        ("text", r"info\['success'\] is '(Fals|Tru)e'"),
        ("vector", r"info\['success'\] is array"),
    ],
)
def test_an_environment_that_does_not_say_success_stops_the_rollout(says: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        run_episodes(TinyActor(), TINY, SEEDS, {"says": says}, workers=2)

    assert "\n" not in str(error.value)
