"""The contract of a policy, over the registry: a new policy is tested by being registered."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch

from s2robot.errors import UserError
from s2robot.policies import POLICIES, Policy, make_policy
from s2robot.policies.base import action_error, masked_mean
from s2robot.policies.options.bc import BCConfig
from s2robot.types import Batch
from tests.policies.policy_cases import CASES, SPEC, fitted, make_batch, observed

LENGTH = 8  # of the demonstration that is learned by heart


class Learning(NamedTuple):
    """How one demonstration is learned by heart: options, learning rate, steps."""

    options: Mapping[str, object] = MappingProxyType({})
    rate: float = 3e-3
    steps: int = 500


LEARNING = {
    "act": Learning({"dropout": 0.0}, 2e-3, 700),
    "bc, l2": Learning({"hidden": [256]}, 1e-2, 2000),
    "bc_rnn_gmm": Learning({"rnn_dim": 128, "rnn_layers": 1}, 1e-2),
    "bc_rnn_gmm, one action": Learning({"rnn_dim": 128, "rnn_layers": 1}, 1e-2),
    "bc_transformer_gmm": Learning({"modes": 1, "layers": 1}, 5e-3, 1500),
    "bc_paper": Learning({"dropout": 0.0, "history_dropout": 0.0, "width": 64}),
    "diffusion_transformer": Learning({"width": 64, "layers": 2, "temperature": 0.0}, 2e-3, 2000),
    "diffusion_unet": Learning({"channels": [32, 64], "temperature": 0.0}, 3e-3, 700),
    "flow": Learning({"channels": [32, 64], "temperature": 0.0}, 3e-3, 700),
}


# Networks learned by heart above; what else they are asked for has closed forms in test_generative.py.
NOT_LEARNED = {
    "diffusion_unet, ddpm",
    "diffusion_unet, epsilon",
    "diffusion_unet, v",
    "flow, transformer",
    "flow, velocity",
}


@pytest.fixture(params=CASES)
def policy(request: pytest.FixtureRequest) -> Policy:
    """Every policy of the registry and its variants, untrained."""
    name, options = CASES[request.param]
    return fitted(name, **options)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_predicts_chunks_of_the_declared_shape(policy: Policy) -> None:
    batch = make_batch(policy.config)
    actions, _ = policy.eval().predict(observed(batch, policy.config), None, generators(0, 1, 2))
    assert actions.shape == (3, policy.config.horizon, 7)
    assert actions.dtype == torch.float32
    assert actions.isfinite().all()


def test_loss_changes_no_batch(policy: Policy) -> None:
    batch = make_batch(policy.config)
    before = copy.deepcopy(batch)
    policy.loss(batch)
    policy.eval().predict(observed(batch, policy.config), None, generators(0, 1, 2))
    for name in ("actions", "mask", "past_actions", "past_mask"):
        assert torch.equal(getattr(batch, name), getattr(before, name))
    pairs = zip(batch.obs.tensors(), before.obs.tensors(), strict=True)
    assert all(torch.equal(now, then) for now, then in pairs)


def test_gradients_reach_every_parameter(policy: Policy) -> None:
    torch.manual_seed(0)
    loss, metrics = policy.loss(make_batch(policy.config, b=16))  # rows enough that dropout hides no input
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
    obs = observed(make_batch(policy.config), policy.config)
    policy.eval()
    first, _ = policy.predict(obs, None, generators(3, 4, 5))
    torch.manual_seed(99)  # the global random state has no say
    again, _ = policy.predict(obs, None, generators(3, 4, 5))
    assert torch.equal(first, again)


def test_row_of_a_padded_batch_is_the_row_alone_in_that_padding(policy: Policy) -> None:
    obs = observed(make_batch(policy.config, b=4), policy.config)
    policy.eval()
    together, _ = policy.predict(obs, None, generators(0, 1, 2, 3))
    for row in range(4):
        repeated = obs.map(itemgetter([row] * 4))
        alone, _ = policy.predict(repeated, None, generators(row, row, row, row))
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


def test_weights_and_statistics_survive_saving(policy: Policy) -> None:
    restored = make_policy(SPEC, policy.config)
    restored.load_state_dict(policy.state_dict())
    obs = observed(make_batch(policy.config), policy.config)
    expected, _ = policy.eval().predict(obs, None, generators(0, 1, 2))
    actual, _ = restored.eval().predict(obs, None, generators(0, 1, 2))
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("case", [case for case in CASES if case not in NOT_LEARNED])
def test_overfits_one_demonstration(case: str) -> None:
    """The windows of one smooth trajectory, learned by heart."""
    name, options = CASES[case]
    learning = LEARNING.get(case, Learning())
    policy = fitted(name, head_args={"keypoints": 8}, **{**options, **learning.options})
    config = policy.config
    back = config.obs_steps * config.obs_stride
    steps = torch.arange(LENGTH)[:, None]
    times = torch.arange(LENGTH + config.horizon)  # the expert goes on: nothing is masked
    actions = torch.sin(times[:, None] / 5 + torch.arange(7))
    frames = make_batch(config, b=LENGTH)
    seen = (steps + torch.arange(1 - config.obs_steps, 1) * config.obs_stride).clamp(min=0)
    past = steps + torch.arange(-back, 0)
    before_now = actions[past.clamp(min=0)] * (past >= 0)[..., None]
    batch = Batch(
        obs=frames.obs.map(lambda values: values[:, -1][seen]),
        actions=actions[steps + torch.arange(config.horizon)],
        mask=torch.ones(LENGTH, config.horizon, dtype=torch.bool),
        windows=torch.arange(LENGTH),
        past_actions=before_now,
        past_mask=past >= 0,
        executed=before_now,
        future={key: torch.rand(LENGTH, len(config.foreseen), dim) for key, dim in SPEC.proprio.items()},
    )
    policy.actions.fit(actions)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=learning.rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, learning.steps)
    before = action_error(policy.eval(), batch)
    for step in range(learning.steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        policy.train().loss(batch)[0].backward()
        optimizer.step()
        schedule.step()
    assert before > 0.1
    assert action_error(policy.eval(), batch) < 1e-3


def test_horizons_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="action_steps=9 must be between 1 and"):
        fitted("bc", action_steps=9)
    with pytest.raises(UserError, match="horizon=9 must be divisible by 2"):
        fitted("diffusion_unet", horizon=9)
    with pytest.raises(UserError, match="did you mean 'bc'"):
        POLICIES["bcc"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bc", {"loss": "nll"}, "unknown policy.loss 'nll'; .*l1, l2"),
        ("bc_gmm", {"modes": 0}, "policy.modes=0 must be at least 1"),
        ("bc", {"foresee": [4, 0]}, "policy.foresee=.4, 0.: 0 is neither a number of steps"),
        ("bc", {"obs_steps": 0}, "policy.obs_steps=0 must be at least 1"),
        ("bc", {"action_norm": "gaussian"}, "action_norm must be limits"),
        ("bc", {"proprio_norm": "gausian"}, "did you mean 'gaussian'"),
        ("bc", {"rotation": "6D"}, "unknown policy.rotation '6D'; did you mean '6d'"),
        ("act", {"width": 30}, "width=30 must be divisible by policy.attention_heads=4"),
        ("bc_paper", {"loss": "nll"}, "unknown policy.loss 'nll'"),
    ],
)
def test_options_that_do_not_fit_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fitted(name, **options)


def test_nothing_is_foreseen_without_proprioception() -> None:
    with pytest.raises(UserError, match=r"data\.proprio is empty; policy\.foresee=\[\] trains without"):
        make_policy(replace(SPEC, proprio={}), BCConfig(foresee=[8]))


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
def test_actions_and_proprioception_are_normalised_as_asked(mode: str) -> None:
    policy = fitted("act", action_norm=mode, proprio_norm=mode)
    batch = make_batch(policy.config, b=16)  # what it was fitted to
    for values in (policy.actions(batch.actions), policy.observe.proprioception(batch.obs)):
        flat = values.flatten(0, 1)
        low, high = (flat.amin(0), flat.amax(0)) if mode == "limits" else (flat.mean(0) - 1, flat.std(0))
        torch.testing.assert_close(low, -torch.ones_like(low), atol=1e-5, rtol=0)
        torch.testing.assert_close(high, torch.ones_like(high), atol=2e-2, rtol=0)
