"""What does not fit together is refused in one line."""

from typing import Any

import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.rollouts.episodes import run_episodes
from tests.rollouts.rollout_cases import nothing_left_behind  # noqa: F401 (fixture)
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import TINY


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seeds": [1, 2, 1]}, "more than once"),
        ({"env_id": "tests.rollouts.tiny_env:Nothing-v0"}, "Nothing"),
        ({"env_id": "no_such_module:Tiny-v0"}, "no_such_module"),
        ({"env_kwargs": {"colour": "red"}}, "colour"),
        ({"policy": TinyActor(action_dim=3)}, "takes actions of 2 numbers, the policy gives 3"),
        ({"policy": TinyActor(action_steps=6)}, r"\(1, 5, 2\), not \(1, >= 6, 2\)"),
        ({"policy": torch.nn.Identity()}, r"Agent\(policy, encoders, device\), not Identity alone"),
        ({"workers": 0}, "at least 1"),
        ({"record": 1}, "video_dir"),
        ({"env_id": "CartPole-v1"}, "Dict observations"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_told_in_one_line(arguments: Any, told: str) -> None:
    good = {"policy": TinyActor(), "env_id": TINY, "seeds": [1], "env_kwargs": {}, "workers": 1}

    with pytest.raises(UserError, match=told) as error:
        run_episodes(**(good | arguments))

    assert "\n" not in str(error.value)


def test_an_unknown_observation_names_the_known_ones() -> None:
    actor = TinyActor()
    actor.obs_keys = ("agentview_imag", "pos")

    with pytest.raises(UserError, match="did you mean 'agentview_image'"):
        run_episodes(actor, TINY, [1], workers=1)


def test_an_action_that_is_not_finite_is_not_executed() -> None:
    class Broken(TinyActor):
        def act(self, obs: Any, states: Any, generators: Any) -> Any:
            chunk, states = super().act(obs, states, generators)
            return np.full_like(chunk, np.nan), states

    with pytest.raises(UserError, match="not finite"):
        run_episodes(Broken(), TINY, [1], workers=1)
