"""What robosuite's `env_args` become for absolute actions; the package robosuite is not needed."""

from copy import deepcopy
from typing import Any

import pytest

from envs.robosuite.dataset import current_controller, with_absolute_actions

# As robomimic 0.1 to 0.4 and 0.5 keep them (robosuite before 1.5, and since)
FLAT = {"type": "OSC_POSE", "input_max": 1, "input_min": -1, "control_delta": True, "kp": 150, "damping": 1}
PART = {"type": "OSC_POSE", "input_max": 1, "input_min": -1, "input_type": "delta", "input_ref_frame": "base"}
COMPOSITE = {"type": "BASIC", "body_parts": {"right": {**PART, "gripper": {"type": "GRIP"}}}}


def env_args(controller: Any) -> dict[str, Any]:
    return {
        "env_name": "Lift",
        "type": 1,
        "env_kwargs": {"robots": "Panda", "controller_configs": controller},
    }


def changed(controller: Any) -> Any:
    """The controllers after the change; the original stays as it was."""
    original = env_args(controller)
    before = deepcopy(original)
    found = with_absolute_actions(original)
    assert original == before
    assert found is not None
    assert {**found, "env_kwargs": None} == {**before, "env_kwargs": None}
    return found["env_kwargs"]["controller_configs"]


def assert_absolute(part: dict[str, Any]) -> None:
    """robosuite 1.5.2 reads `input_type`; `control_limits` of its OSC are `input_min` and `input_max`."""
    assert part["input_type"] == "absolute"
    assert part["input_min"] <= -3.2 and part["input_max"] >= 3.2  # rad: a hand that points down


def test_a_composite_controller_takes_absolute_poses() -> None:
    right = changed(COMPOSITE)["body_parts"]["right"]
    assert_absolute(right)
    assert right["input_ref_frame"] == "base"  # the goals were recorded in it
    assert right["gripper"] == {"type": "GRIP"}


def test_each_arm_does() -> None:
    body = changed(
        {"type": "BASIC", "body_parts": {"right": PART, "left": PART, "torso": {"type": "JOINT_VELOCITY"}}}
    )
    for arm in ("right", "left"):
        assert_absolute(body["body_parts"][arm])
    assert body["body_parts"]["torso"] == {"type": "JOINT_VELOCITY"}
    for part in changed([FLAT, FLAT]):
        assert part["control_delta"] is False


def test_a_flat_controller_does_in_both_versions() -> None:
    flat = changed(FLAT)
    assert flat["control_delta"] is False  # read by robosuite before 1.5
    now = current_controller(flat)
    assert now is not None
    assert_absolute(now["body_parts"]["right"])
    assert now["body_parts"]["right"]["input_ref_frame"] == "world"


@pytest.mark.parametrize("controller", [None, {}, {"type": "JOINT_VELOCITY"}])
def test_without_a_controller_of_positions_nothing_is_invented(controller: Any) -> None:
    assert with_absolute_actions(env_args(controller)) is None
