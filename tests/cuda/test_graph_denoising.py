"""Denoising that a GPU replays gives the actions of `predict`, for every number of rows."""

import pytest
import torch

from s2robot.policies.fixed_rows import FixedRows
from tests.policies.policy_cases import make_batch, observed
from tests.policies.test_fixed_rows import DENOISING, ROWS, denoising, generators


@pytest.mark.parametrize("name", DENOISING)
def test_actions_are_those_of_predict(name: str) -> None:
    policy = denoising(name).cuda()
    fixed = FixedRows(policy, ROWS)
    with torch.inference_mode():
        for seed in range(8):
            b = 1 + seed % ROWS
            obs = observed(make_batch(policy.config, b, seed), policy.config).map(torch.Tensor.cuda)
            expected, _ = policy.predict(obs, None, generators(b, seed))
            found, _ = fixed(obs, None, generators(b, seed))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert fixed._graph is not None and fixed._graph._recorded is not None
