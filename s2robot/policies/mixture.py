"""Mixtures of Gaussians over chunks: their likelihood, what is executed, the base of their policies."""

from collections.abc import Mapping
from typing import Any

import torch.distributions as D
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from s2robot.parallel import mean_size
from s2robot.policies.base import Policy
from s2robot.policies.options.bc import MixtureOptions

Mixture = D.MixtureSameFamily  # of Independent(Normal)


class MixturePolicy(Policy):
    """Acts with the mean of the likeliest mode. A subclass has robomimic's network as `net`."""

    config: MixtureOptions

    @property
    def mixture_sizes(self) -> dict[str, Any]:
        """Options of robomimic's networks."""
        return {"num_modes": self.config.modes, "min_std": self.config.min_std}

    def mixture(self, raw: Mapping[str, Float[Tensor, "..."]]) -> Mixture:
        """The mixture of a network's raw outputs, as robomimic makes it in training.

        Nothing is validated: that would stop a GPU's pipeline several times a step, and numbers that are not
        finite are found by the training loop, which names the demonstrations. robomimic narrows the modes in
        eval mode so that a sample is near a mean; here only means are executed.
        """
        means = raw["mean"].float().tanh()  # ... m (ta da); deviations may be less than bfloat16 resolves
        deviations = F.softplus(raw["scale"].float()) + self.config.min_std
        modes = D.Independent(D.Normal(means, deviations, validate_args=False), 1, validate_args=False)
        weights = D.Categorical(logits=raw["logits"].float(), validate_args=False)
        return D.MixtureSameFamily(weights, modes, validate_args=False)

    def chunk(self, mixture: Mixture) -> Float[Tensor, "... ta da"]:
        """The chunk to execute, in the environment's units."""
        flat = likeliest(mixture)  # ... (ta da)
        return self.actions.denormalize(flat.unflatten(-1, (self.config.horizon, self.actions.dim)))


def mixture_nll(
    mixture: Mixture,  # of "... (ta da)"
    actions: Float[Tensor, "... ta da"],
    mask: Bool[Tensor, "... ta"],
) -> Float[Tensor, ""]:
    """Negative log-likelihood of the actions in `mask`, the others marginalised out, for each number.

    The dimensions of a mode are independent, so those of masked steps are simply left out of it.
    """
    modes: Any = mixture.component_distribution  # Independent(Normal)
    each = modes.base_dist.log_prob(actions.flatten(-2)[..., None, :])  # ... m (ta da)
    inside = mask.repeat_interleave(actions.shape[-1], dim=-1)[..., None, :]
    chosen = mixture.mixture_distribution.logits.log_softmax(-1)  # ... m
    likelihood = ((each * inside).sum(-1) + chosen).logsumexp(dim=-1)
    return -likelihood.sum() / (mean_size(mask.sum()) * actions.shape[-1])


def likeliest(mixture: Mixture) -> Float[Tensor, "... d"]:
    """The mean of the mode with the largest weight. Drawing nothing, it is the same each time."""
    modes: Any = mixture.component_distribution
    best = mixture.mixture_distribution.logits.argmax(-1)[..., None, None]  # ... 1 1
    means = modes.base_dist.loc  # ... m d
    return means.gather(-2, best.expand(*best.shape[:-1], means.shape[-1])).squeeze(-2)
