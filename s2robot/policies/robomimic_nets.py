"""robomimic's policy networks on ready vectors.

robomimic builds networks from a global table of observation keys and prints when it is imported and when
a network is built; both are dealt with here, so that no other file knows of them.
"""

import contextlib
import io
from collections import OrderedDict
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s2robot.parallel import mean_size

with contextlib.redirect_stdout(io.StringIO()):  # the banner about a private macro file
    import robomimic.utils.obs_utils as obs_utils
    from robomimic.models import policy_nets

Mixture = torch.distributions.MixtureSameFamily
KEY = "s2robot_observation"
# A low-dimensional input is taken as it is: no core network, no randomisation.
ENCODER_KWARGS: dict[str, dict[str, Any]] = {
    "low_dim": {
        "core_class": None,
        "core_kwargs": {},
        "obs_randomizer_class": None,
        "obs_randomizer_kwargs": {},
    }
}


def build(network: str, input_dim: int, action_dim: int, **kwargs: Any) -> Any:
    """One of `policy_nets`' actors, e.g. `ActorNetwork`; it is called with `{KEY: "b [t] input_dim"}`."""
    if obs_utils.OBS_KEYS_TO_MODALITIES is None:
        obs_utils.initialize_obs_modality_mapping_from_dict({"low_dim": [KEY]})
    obs_utils.OBS_KEYS_TO_MODALITIES[KEY] = "low_dim"
    with contextlib.redirect_stdout(io.StringIO()):  # what it guesses about the keys of its own outputs
        return getattr(policy_nets, network)(
            obs_shapes=OrderedDict({KEY: (input_dim,)}),
            ac_dim=action_dim,
            encoder_kwargs=ENCODER_KWARGS,
            **kwargs,
        )


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
    likelihood = torch.logsumexp((each * inside).sum(-1) + chosen, dim=-1)
    return -likelihood.sum() / (mean_size(mask.sum()) * actions.shape[-1])


def likeliest(mixture: Mixture) -> Float[Tensor, "... d"]:
    """The mean of the mode with the largest weight. Drawing nothing, it is the same each time."""
    modes: Any = mixture.component_distribution
    best = mixture.mixture_distribution.logits.argmax(-1)[..., None, None]  # ... 1 1
    means = modes.base_dist.loc  # ... m d
    return means.gather(-2, best.expand(*best.shape[:-1], means.shape[-1])).squeeze(-2)
