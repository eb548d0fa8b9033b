"""robomimic's policy networks on ready vectors.

robomimic builds networks from a global table of observation keys and prints when it is imported and when
a network is built; both are dealt with here, so that no other file knows of them.
"""

import contextlib
import io
from collections import OrderedDict
from types import MethodType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.errors import UserError

try:
    with contextlib.redirect_stdout(io.StringIO()):  # the banner about a private macro file
        import robomimic.utils.obs_utils as obs_utils
        from robomimic.models import obs_nets, policy_nets
except ModuleNotFoundError as error:
    if error.name != "robomimic":
        raise
    raise UserError(
        "this policy is built from robomimic's networks, and robomimic is not installed: "
        "pip install --no-deps robomimic==0.3.0 (its requirement egl_probe needs a compiler and is not used)"
    ) from error

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
NETWORKS = (obs_nets.RNN_MIMO_MLP, obs_nets.MIMO_Transformer, obs_nets.MIMO_MLP)


def build(network: str, input_dim: int, action_dim: int, **kwargs: Any) -> Any:
    """One of `policy_nets`' actors, e.g. `ActorNetwork`; it is called with `{KEY: "b [t] input_dim"}`."""
    if obs_utils.OBS_KEYS_TO_MODALITIES is None:
        obs_utils.initialize_obs_modality_mapping_from_dict({"low_dim": [KEY]})
    obs_utils.OBS_KEYS_TO_MODALITIES[KEY] = "low_dim"
    with contextlib.redirect_stdout(io.StringIO()):  # what it guesses about the keys of its own outputs
        net = getattr(policy_nets, network)(
            obs_shapes=OrderedDict({KEY: (input_dim,)}),
            ac_dim=action_dim,
            encoder_kwargs=ENCODER_KWARGS,
            **kwargs,
        )
    if isinstance(net, obs_nets.MIMO_Transformer):
        net.embed_timesteps = MethodType(_embed_timesteps, net)
    if isinstance(net, obs_nets.RNN_MIMO_MLP):
        rnn = net.nets["rnn"]
        rnn.get_rnn_init_state = MethodType(_first_state, rnn)
    return net


def _first_state(rnn: Any, batch_size: int, device: torch.device) -> Any:
    """`RNN_Base.get_rnn_init_state`, made where it is needed: robomimic's waits for a copy to the GPU."""
    layers = rnn._num_layers * rnn._num_directions
    hidden = torch.zeros(layers, batch_size, rnn._hidden_dim, device=device)
    return (hidden, torch.zeros_like(hidden)) if rnn._rnn_type == "LSTM" else hidden


def _embed_timesteps(net: Any, embeddings: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
    """`MIMO_Transformer.embed_timesteps` of its learned table.

    robomimic's own asserts about numbers that it has just made, which waits for a GPU at every step.
    """
    b, t, width = embeddings.shape
    steps = torch.arange(t, device=embeddings.device).expand(b, t)
    table = net.nets["embed_timestep"](steps)
    return table.repeat(1, 1, width // net.transformer_embed_dim)


def raw_outputs(net: Any, seen: Float[Tensor, "b *t d"], **state: Any) -> Any:
    """What an actor's network puts out before robomimic makes actions or distributions of it, by name.

    `state` is a recurrent network's: with `return_state=True` a pair of outputs and state comes back.
    """
    network = next(network for network in NETWORKS if isinstance(net, network))
    return network.forward(net, obs={KEY: seen}, goal=None, **state)
