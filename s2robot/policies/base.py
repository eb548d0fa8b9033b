"""The contract of a policy.

    time       t-1   t   t+1  t+2 ... t+action_steps-1 ... t+horizon-1
    observed    o    o                                                    obs_steps = 2, the last is now
    predicted        a    a    a  ...        a         ...      a         horizon, the first is now
    executed         x    x    x  ...        x                            action_steps <= horizon
                                              then it observes and predicts again (receding horizon)

What is called the observation horizon, prediction horizon and action horizon elsewhere. At the start of an
episode the first observation is repeated; actions beyond its end are masked in the loss.

A policy that `remembers` (recurrent, or a transformer over its past) looks back in steps of one decision:

    time       t-2k  ...  t-k  ...  t  ...  t+horizon-1
    observed    o          o        o                         obs_steps = 3, one each k = action_steps
    executed    x  x x x x x x x x                            past actions, between those observations
    predicted                       a  ...      a

and a rollout gives it the last observation alone: no frame is rendered or encoded twice, or for nothing.

A policy keeps nothing between calls: what must be remembered goes in and out as `state`, what is
random comes from one generator an episode, and the queue of actions belongs to the rollout.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from s2robot.parallel import mean_size
from s2robot.policies.actions import Actions
from s2robot.policies.observation import ObservationEncoder, Statistics
from s2robot.policies.options.base import PolicyConfig
from s2robot.types import Batch, Observation, Spec


class Policy(nn.Module):
    """Base of all policies: normalisation and the observation encoder; subclasses do the rest."""

    def __init__(self, spec: Spec, config: PolicyConfig, width: int | None = None) -> None:
        """`width` is the length of the tokens of a policy that reads tokens (a transformer)."""
        super().__init__()
        config.check()
        self.spec = spec
        self.config = config
        self.observe = ObservationEncoder(spec, config.head, config.head_args, config.read_steps, width)
        self.actions = Actions(spec.action_dim, config.rotation)

    def fit(self, statistics: Statistics) -> None:
        """Take all normalisation statistics from the training data; they are buffers from then on."""
        self.observe.fit(statistics, self.config.proprio_norm)
        self.actions.fit(torch.from_numpy(statistics.actions), self.config.action_norm)

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Mean loss over the unmasked action steps, and detached metrics. The batch is not changed.

        Means are taken with `masked_mean`, or divide a sum by `s2robot.parallel.mean_size`, so that they are
        right when several processes share a batch.
        """
        raise NotImplementedError

    def predict(
        self,
        obs: Observation,  # to = config.read_steps
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        """A chunk of actions in the environment's units, from now on, and the state to give back.

        `state` has one entry a row, None at an episode's first call; rows come and go between calls.
        `generators` holds one CPU generator for each row; without them the global random state is used.
        """
        raise NotImplementedError

    def executed(self, state: Any, actions: Float[Tensor, "k da"]) -> Any:
        """A row's state when these actions were executed since its last decision (environment's units).

        They are what the environment did: within its action space, and maybe a mean of several predictions. A
        policy that reads its past learns so what was done with its last chunk; others keep their state.
        """
        return state

    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        """What `predict` gives at the "now" of training windows, after what they say came before."""
        return self.predict(batch.obs, None, generators)[0]


def masked_mean(error: Float[Tensor, "*b ta da"], mask: Bool[Tensor, "*b ta"]) -> Float[Tensor, ""]:
    """Mean over the entries whose step is inside the episode; see `mean_size` for several processes."""
    return (error * mask[..., None]).sum() / (mean_size(mask.sum()) * error.shape[-1])


@torch.no_grad()
def action_error(policy: Policy, batch: Batch) -> Float[Tensor, ""]:
    """Mean absolute error of the predicted chunk, in the environment's units."""
    generators = [torch.Generator().manual_seed(i) for i in range(len(batch.actions))]
    predicted = policy.predict_windows(batch, generators)
    return masked_mean((predicted - batch.actions).abs(), batch.mask)
