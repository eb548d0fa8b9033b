"""Rotations of absolute actions as 6 numbers: closed forms, there and back, no jump at pi."""

import math

import pytest
import torch

from s2robot.errors import UserError
from s2robot.policies.actions import Actions, axis_angle_to_six, six_to_axis_angle


def rotations(count: int, largest: float) -> torch.Tensor:
    """Axis-angle vectors of up to `largest` rad."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    return axis * largest * torch.rand(count, 1, generator=generator)


def test_quarter_turn_about_z() -> None:
    """Its matrix has the columns (0, 1, 0) and (-1, 0, 0)."""
    six = axis_angle_to_six(torch.tensor([0.0, 0.0, math.pi / 2]))
    torch.testing.assert_close(six, torch.tensor([0.0, 1, 0, -1, 0, 0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("largest", [1e-8, 1e-3, 1.0, math.pi - 1e-3])
def test_axis_angle_there_and_back(largest: float) -> None:
    values = rotations(200, largest)
    torch.testing.assert_close(six_to_axis_angle(axis_angle_to_six(values)), values, atol=2e-5, rtol=1e-4)


def test_half_turn_comes_back_as_the_same_rotation() -> None:
    half = torch.nn.functional.normalize(rotations(50, 1.0), dim=-1) * math.pi
    six = axis_angle_to_six(half)
    torch.testing.assert_close(axis_angle_to_six(six_to_axis_angle(six)), six, atol=1e-5, rtol=0)


def test_rotations_close_to_each_other_have_close_numbers() -> None:
    """On both sides of pi axis-angle jumps by 2 pi, the 6 numbers do not."""
    axis = torch.tensor([0.6, 0.0, 0.8])
    below, above = axis * (math.pi - 1e-3), -axis * (math.pi - 1e-3)
    assert (below - above).norm() > 6
    assert (axis_angle_to_six(below) - axis_angle_to_six(above)).abs().max() < 5e-3


def test_what_is_no_rotation_becomes_one() -> None:
    assert six_to_axis_angle(torch.tensor([2.0, 0, 0, 5, 3, 0])).abs().max() < 1e-6  # the identity, skewed


@pytest.mark.parametrize("arms", [1, 2])
def test_absolute_actions_there_and_back(arms: int) -> None:
    one = [torch.cat([torch.rand(64, 3), rotations(64, 3.0), torch.rand(64, 1)], dim=1) for _ in range(arms)]
    values = torch.cat(one, dim=1)
    actions = Actions(7 * arms, "6d")
    actions.fit(values)
    assert actions.dim == 10 * arms
    assert actions(values).abs().max() <= 1 + 1e-6
    torch.testing.assert_close(actions.denormalize(actions(values)), values, atol=1e-4, rtol=1e-4)


def test_layouts_without_a_pose_are_refused() -> None:
    with pytest.raises(UserError, match="takes absolute actions of 7 or 14 numbers"):
        Actions(8, "6d")
