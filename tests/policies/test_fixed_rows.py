"""Denoising in a batch of fixed size gives the actions of `predict`, whatever the number of rows."""

import logging
from typing import Any

import pytest
import torch

from s2robot.device import GraphError
from s2robot.policies import POLICIES, fixed_rows
from s2robot.policies.fixed_rows import FixedRows, in_fixed_rows
from s2robot.policies.generative import GenerativePolicy
from tests.policies.policy_cases import CASES, fitted, make_batch, observed

DENOISING = [name for name in sorted(POLICIES) if issubclass(next(iter(POLICIES[name])), GenerativePolicy)]
ROWS = 4


def denoising(name: str) -> GenerativePolicy:
    policy = fitted(name).eval()
    assert isinstance(policy, GenerativePolicy)
    return policy


def generators(b: int, seed: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(b)]


@pytest.mark.parametrize("name", DENOISING)
def test_rows_that_are_not_used_change_nothing(name: str) -> None:
    policy = denoising(name)
    fixed = FixedRows(policy, ROWS, graph=False)
    for seed, b in enumerate((3, 1, ROWS, 2, ROWS + 1)):  # one more than it has goes through `predict`
        obs = observed(make_batch(policy.config, b, seed), policy.config)
        expected, _ = policy.predict(obs, None, generators(b, seed))
        found, state = fixed(obs, None, generators(b, seed))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert state is None and len(found) == b


def test_what_it_gave_is_not_overwritten() -> None:
    policy = denoising("flow")
    fixed = FixedRows(policy, ROWS, graph=False)
    first_obs, other_obs = (observed(make_batch(policy.config, 2, seed), policy.config) for seed in (0, 1))
    first, _ = fixed(first_obs, None, generators(2, 0))
    before = first.clone()
    fixed(other_obs, None, generators(2, 9))
    assert torch.equal(first, before)


def test_only_what_denoises_without_drawing_is_replayed() -> None:
    name, options = CASES["diffusion_unet, ddpm"]
    assert not isinstance(in_fixed_rows(fitted(name, **options), ROWS), FixedRows)
    assert not isinstance(in_fixed_rows(fitted("bc"), ROWS), FixedRows)
    assert all(isinstance(in_fixed_rows(fitted(name), ROWS), FixedRows) for name in DENOISING)


def test_what_cannot_be_recorded_is_computed_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Unwilling:
        def __init__(self, function: Any, device: Any) -> None: ...

        def __call__(self) -> None:
            raise GraphError("out of memory")

    monkeypatch.setattr(fixed_rows, "Graph", Unwilling)
    policy = denoising("flow")
    obs = observed(make_batch(policy.config, 2), policy.config)
    with caplog.at_level(logging.WARNING):
        found, _ = FixedRows(policy, ROWS)(obs, None, generators(2, 0))
    torch.testing.assert_close(found, policy.predict(obs, None, generators(2, 0))[0], rtol=1e-4, atol=1e-5)
    assert caplog.messages == ["denoising is not replayed as a graph: out of memory"]
