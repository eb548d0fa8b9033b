"""Options of acting: what an evaluation may change about a trained policy."""

import pytest
import torch

from s2robot.errors import UserError
from s2robot.policies.acting import acting_options, set_acting_options
from tests.policies.policy_cases import fitted, make_batch


def test_more_steps_change_the_actions_and_no_weight() -> None:
    policy = fitted("diffusion_unet", channels=[16, 32]).eval()
    obs = make_batch(policy.config).obs
    weights = {name: value.clone() for name, value in policy.state_dict().items()}

    def act() -> torch.Tensor:
        return policy.predict(obs, None, [torch.Generator().manual_seed(i) for i in range(3)])[0]

    ten = act()
    set_acting_options(policy, {"inference_steps": 50})
    fifty = act()
    set_acting_options(policy, {"inference_steps": 10})
    assert not torch.equal(ten, fifty)
    assert torch.equal(ten, act())
    assert all(torch.equal(value, weights[name]) for name, value in policy.state_dict().items())


def test_options_are_typed_and_named() -> None:
    policy = fitted("diffusion_unet", channels=[16, 32])
    set_acting_options(policy, {"inference_steps": 20, "temperature": 1, "sampler": "ddpm"})
    assert acting_options(policy) == {
        "action_steps": 4,
        "inference_steps": 20,
        "temperature": 1.0,
        "sampler": "ddpm",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inference_step": 100}, "unknown option .* did you mean 'inference_steps'"),
        ({"inference_steps": "many"}, "policy.inference_steps='many' is of another type"),
        ({"inference_steps": 30}, "inference_steps=30 must divide policy.train_timesteps=100"),
        ({"inference_steps": 0}, "inference_steps=0 must be at least 1"),
        ({"sampler": "ddmp"}, "unknown policy.sampler 'ddmp'; did you mean"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"channels": [8, 8]}, "policy.channels cannot be changed now"),
    ],
)
def test_others_are_refused_and_nothing_changes(options: dict[str, object], message: str) -> None:
    policy = fitted("diffusion_unet", channels=[16, 32])
    before = policy.config
    with pytest.raises(UserError, match=message):
        set_acting_options(policy, options)
    assert policy.config is before


def test_steps_to_execute_are_an_option_of_every_policy() -> None:
    policy = fitted("bc")
    set_acting_options(policy, {"action_steps": 8})
    assert acting_options(policy) == {"action_steps": 8}
    with pytest.raises(UserError, match=r"policy.inference_steps|unknown option of bc .* 'inference_steps'"):
        set_acting_options(policy, {"inference_steps": 3})
    with pytest.raises(UserError, match="temporal_ensemble=M is an argument of its own"):
        set_acting_options(policy, {"temporal_ensemble": 0.1})
    with pytest.raises(UserError, match=r"policy.action_steps=9 must be between 1 and policy.horizon=8"):
        set_acting_options(policy, {"action_steps": 9})


def test_a_policy_that_remembers_acts_as_often_as_it_was_trained() -> None:
    policy = fitted("bc_rnn_gmm")
    set_acting_options(policy, {"action_steps": 4})
    with pytest.raises(UserError, match="bc_rnn_gmm remembers one observation every 4 actions"):
        set_acting_options(policy, {"action_steps": 1})
