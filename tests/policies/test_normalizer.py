"""Normalisation: closed forms, constants, and statistics that travel with the weights."""

import pytest
import torch

from s2robot.policies.normalizer import Normalizer

VALUES = torch.tensor([[0.0, 5.0, -1.0], [10.0, 5.0, 3.0], [5.0, 5.0, 1.0]])


def test_limits_map_onto_minus_one_to_one() -> None:
    normalizer = Normalizer(3).fit(VALUES, "limits")
    expected = torch.tensor([[-1.0, 0.0, -1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert torch.equal(normalizer(VALUES), expected)


def test_gaussian_has_mean_zero_and_deviation_one() -> None:
    normalized = Normalizer(3).fit(VALUES, "gaussian")(VALUES)
    torch.testing.assert_close(normalized.mean(0), torch.zeros(3))
    torch.testing.assert_close(normalized.std(0, correction=0), torch.tensor([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
def test_there_and_back(mode: str) -> None:
    normalizer = Normalizer(3).fit(VALUES, mode)
    torch.testing.assert_close(normalizer.denormalize(normalizer(VALUES)), VALUES)


def test_statistics_are_part_of_the_state() -> None:
    restored = Normalizer(3)
    restored.load_state_dict(Normalizer(3).fit(VALUES).state_dict())
    assert torch.equal(restored(VALUES), Normalizer(3).fit(VALUES)(VALUES))


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="known: limits, gaussian"):
        Normalizer(3).fit(VALUES, "minmax")
