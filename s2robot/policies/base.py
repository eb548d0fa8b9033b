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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError, unknown_name
from s2robot.parallel import mean_size
from s2robot.policies.actions import Actions
from s2robot.policies.heads import HEADS
from s2robot.policies.normalizer import MODES
from s2robot.policies.observation import ObservationEncoder, Statistics
from s2robot.types import Batch, Spec

LOSSES: dict[str, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square}


@dataclass
class PolicyConfig:
    """What every policy can be asked for; each policy adds its own."""

    ACTING: ClassVar[tuple[str, ...]] = ()  # options that an evaluation may set: no weight depends on them

    name: str = "???"
    obs_steps: int = 1
    horizon: int = 8
    action_steps: int = 4
    head: str = "spatial_softmax"
    head_args: dict[str, Any] = field(default_factory=dict)
    action_norm: str = "limits"  # limits: each dimension onto [-1, 1]; gaussian: mean 0 and deviation 1
    proprio_norm: str = "limits"
    rotation: str = "as_is"  # 6d for absolute poses, see s2robot.policies.actions

    @property
    def remembers(self) -> bool:
        """Whether earlier observations reach the policy through its state."""
        return False

    @property
    def obs_stride(self) -> int:
        """Environment steps from one observation of a training window to the next."""
        return self.action_steps if self.remembers else 1

    @property
    def read_steps(self) -> int:
        """Observations that a rollout gives to `predict`."""
        return 1 if self.remembers else self.obs_steps

    @property
    def reads_prefix(self) -> bool:
        """Whether it must be given the encoder's prefix tokens, too."""
        return HEADS[self.head].reads_prefix

    def check(self) -> None:
        """Raise `UserError` for horizons that do not fit together."""
        if self.obs_steps < 1 or self.horizon < 1:
            raise UserError(
                f"policy.obs_steps={self.obs_steps} and policy.horizon={self.horizon} must be >= 1"
            )
        if not 1 <= self.action_steps <= self.horizon:
            raise UserError(
                f"policy.action_steps={self.action_steps} must be between 1 and policy.horizon={self.horizon}"
            )
        for option, mode in (("action_norm", self.action_norm), ("proprio_norm", self.proprio_norm)):
            if mode not in MODES:
                raise unknown_name(f"policy.{option}", mode, MODES)


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
        obs: Mapping[str, Float[Tensor, "b to ..."]],  # to = config.read_steps
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        """A chunk of actions in the environment's units, from now on, and the state to give back.

        `state` has one entry a row, None at an episode's first call; rows come and go between calls.
        `generators` holds one CPU generator for each row; without them the global random state is used.
        """
        raise NotImplementedError

    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        """What `predict` gives at the "now" of training windows, after what they say came before."""
        return self.predict(batch.obs, None, generators)[0]


def check_attention(width: int, heads: int) -> None:
    """Raise `UserError` for a transformer whose width its attention heads cannot share."""
    if width % heads:
        raise UserError(f"policy.width={width} must be divisible by policy.attention_heads={heads}")


def masked_mean(error: Float[Tensor, "b ta da"], mask: Tensor) -> Float[Tensor, ""]:
    """Mean over the entries whose step is inside the episode; see `mean_size` for several processes."""
    return (error * mask[..., None]).sum() / (mean_size(mask.sum()) * error.shape[-1])


@torch.no_grad()
def action_error(policy: Policy, batch: Batch) -> Float[Tensor, ""]:
    """Mean absolute error of the predicted chunk, in the environment's units."""
    generators = [torch.Generator().manual_seed(i) for i in range(len(batch.actions))]
    predicted = policy.predict_windows(batch, generators)
    return masked_mean((predicted - batch.actions).abs(), batch.mask)
