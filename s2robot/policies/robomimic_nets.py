"""robomimic's policy networks on ready vectors.

robomimic builds networks from a global table of observation keys and prints a banner when it is
imported; both are dealt with here, so that no other file knows of them.
"""

import contextlib
import io
from collections import OrderedDict
from typing import Any

from torch import nn

with contextlib.redirect_stdout(io.StringIO()):  # the banner about a private macro file
    import robomimic.utils.obs_utils as obs_utils
    from robomimic.models import policy_nets

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


def build(network: str, input_dim: int, action_dim: int, hidden: list[int], **kwargs: Any) -> nn.Module:
    """One of `policy_nets`' actors, e.g. `ActorNetwork`; it is called with `{KEY: "b input_dim"}`."""
    if obs_utils.OBS_KEYS_TO_MODALITIES is None:
        obs_utils.initialize_obs_modality_mapping_from_dict({"low_dim": [KEY]})
    obs_utils.OBS_KEYS_TO_MODALITIES[KEY] = "low_dim"
    return getattr(policy_nets, network)(
        obs_shapes=OrderedDict({KEY: (input_dim,)}),
        ac_dim=action_dim,
        mlp_layer_dims=hidden,
        encoder_kwargs=ENCODER_KWARGS,
        **kwargs,
    )
