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


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
def test_what_is_always_zero_stays_zero(mode: str) -> None:
    """A gripper that never moves, a contact that is never made: all dimensions of a key."""
    normalizer = Normalizer(2).fit(torch.zeros(4, 2), mode)
    assert torch.equal(normalizer(torch.zeros(3, 2)), torch.zeros(3, 2))


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
def test_a_constant_comes_back_exactly_whatever_a_network_says(mode: str) -> None:
    """A joint that is locked in all demonstrations does not tremble where its action is sampled."""
    normalizer = Normalizer(3).fit(VALUES, mode)
    said = torch.tensor([[0.3, 0.3, 0.3], [-2.0, -2.0, -2.0]])
    assert normalizer.denormalize(said)[:, 1].tolist() == [5.0, 5.0]


def test_statistics_are_part_of_the_state() -> None:
    restored = Normalizer(3)
    restored.load_state_dict(Normalizer(3).fit(VALUES).state_dict())
    assert torch.equal(restored(VALUES), Normalizer(3).fit(VALUES)(VALUES))


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="known: limits, gaussian"):
        Normalizer(3).fit(VALUES, "minmax")


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
@pytest.mark.parametrize("centre", [0.0, 0.5])
def test_a_tiny_but_real_range_is_normalised_like_any_other(mode: str, centre: float) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(50, 2, generator=generator, dtype=torch.float64) * 2 - 1
    values[:, 1] = centre + 3e-5 * values[:, 1]
    normalizer = Normalizer(2).fit(values.float(), mode)
    normalized = normalizer(values.float())
    assert normalized[:, 1].abs().max() >= 0.99
    error = normalizer.denormalize(normalized + 0.01) - values  # a small error of a network stays small
    assert error[:, 1].abs().max() < 0.02 * 3e-5


@pytest.mark.parametrize("magnitude", [1e-6, 1.0, 1e5])
def test_rounding_and_noise_are_no_range(magnitude: float) -> None:
    generator = torch.Generator().manual_seed(0)
    rest = magnitude * (torch.rand(50, 1, generator=generator) * 2 - 1)
    rounding = magnitude * (1 + 1e-7 * torch.randn(50, 1, generator=generator))
    noise = min(magnitude, 1.0) * 1e-9 * torch.randn(50, 1, generator=generator)
    normalizer = Normalizer(3).fit(torch.cat([rest, rounding, noise], 1))
    assert normalizer.scale[1:].tolist() == [0.0, 0.0]
    assert normalizer.scale[0] != 0.0
    assert normalizer(torch.full((1, 3), 7 * magnitude))[0, 1:].abs().max() <= 7 * magnitude  # only shifted
