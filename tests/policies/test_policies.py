"""The contract of a policy, over the registry: a new policy is tested by being registered."""

import copy

import pytest
import torch
from policy_cases import SPEC, fitted, make_batch

from s2robot.errors import UserError
from s2robot.policies import POLICIES, Policy, make_policy
from s2robot.policies.base import action_error, masked_mean

OVERFIT_STEPS = 500
SMALL: dict[str, dict[str, object]] = {"diffusion_unet": {"channels": [16, 32], "horizon": 8}}


@pytest.fixture(params=sorted(POLICIES))
def policy(request: pytest.FixtureRequest) -> Policy:
    """Every policy of the registry, untrained."""
    return fitted(request.param)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_predicts_chunks_of_the_declared_shape(policy: Policy) -> None:
    batch = make_batch(policy.config)
    actions, _ = policy.eval().predict(batch.obs, None, generators(0, 1, 2))
    assert actions.shape == (3, policy.config.horizon, 7)
    assert actions.dtype == torch.float32
    assert actions.isfinite().all()


def test_loss_changes_no_batch(policy: Policy) -> None:
    batch = make_batch(policy.config)
    before = copy.deepcopy(batch)
    policy.loss(batch)
    policy.eval().predict(batch.obs, None, generators(0, 1, 2))
    assert torch.equal(batch.actions, before.actions)
    assert all(torch.equal(batch.obs[key], before.obs[key]) for key in before.obs)


def test_gradients_reach_every_parameter(policy: Policy) -> None:
    loss, metrics = policy.loss(make_batch(policy.config))
    loss.backward()
    assert loss.shape == ()
    assert not any(value.requires_grad for value in metrics.values())
    without = [name for name, p in policy.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def test_loss_is_the_mean_over_the_unmasked_steps() -> None:
    error = torch.tensor([[[1.0, 3.0], [5.0, 7.0]], [[2.0, 4.0], [100.0, 100.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    assert masked_mean(error, mask) == (1 + 3 + 5 + 7 + 2 + 4) / 6


def test_actions_beyond_the_end_are_not_regressed() -> None:
    policy, batch = fitted("bc"), make_batch(fitted("bc").config)
    before = policy.loss(batch)[0]
    batch.actions[-1, 1:] = 0.77  # masked
    assert policy.loss(batch)[0] == before


def test_predict_repeats_for_the_same_generators(policy: Policy) -> None:
    obs = make_batch(policy.config).obs
    policy.eval()
    first, _ = policy.predict(obs, None, generators(3, 4, 5))
    torch.manual_seed(99)  # the global random state has no say
    again, _ = policy.predict(obs, None, generators(3, 4, 5))
    assert torch.equal(first, again)


def test_row_of_a_padded_batch_is_the_row_alone_in_that_padding(policy: Policy) -> None:
    obs = make_batch(policy.config, b=4).obs
    policy.eval()
    together, _ = policy.predict(obs, None, generators(0, 1, 2, 3))
    for row in range(4):
        repeated = {key: value[[row] * 4] for key, value in obs.items()}
        alone, _ = policy.predict(repeated, None, generators(row, row, row, row))
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


def test_weights_and_statistics_survive_saving(policy: Policy) -> None:
    restored = make_policy(SPEC, policy.config)
    restored.load_state_dict(policy.state_dict())
    obs = make_batch(policy.config).obs
    expected, _ = policy.eval().predict(obs, None, generators(0, 1, 2))
    actual, _ = restored.eval().predict(obs, None, generators(0, 1, 2))
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_overfits_one_demonstration(name: str) -> None:
    """The windows of one smooth trajectory, learned by heart."""
    policy = fitted(name, head_args={"keypoints": 8}, **SMALL.get(name, {}))
    batch = make_batch(policy.config, b=8)
    now = torch.arange(8)[:, None] + torch.arange(policy.config.horizon)
    batch.actions = torch.sin(now[..., None] / 5 + torch.arange(7))
    policy.actions.fit(batch.actions.flatten(0, 1))
    optimizer = torch.optim.AdamW(policy.parameters(), lr=3e-3, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, OVERFIT_STEPS)
    before = action_error(policy, batch)
    for step in range(OVERFIT_STEPS):
        torch.manual_seed(step)
        optimizer.zero_grad()
        policy.loss(batch)[0].backward()
        optimizer.step()
        schedule.step()
    assert before > 0.3
    assert action_error(policy, batch) < 0.03


def test_horizons_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="action_steps=9 must be between 1 and"):
        fitted("bc", action_steps=9)
    with pytest.raises(UserError, match="horizon=9 must be divisible by 2"):
        fitted("diffusion_unet", horizon=9)
    with pytest.raises(UserError, match="did you mean 'bc'"):
        POLICIES["bcc"]
