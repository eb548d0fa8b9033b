"""Options of policies as version 0.1 wrote them into its checkpoints."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from s2robot.errors import unknown_name
from s2robot.policies import POLICIES

NETWORKS = {  # policy.network of 0.1's `bc`
    "mlp": "bc",
    "gmm": "bc_gmm",
    "rnn_gmm": "bc_rnn_gmm",
    "transformer_gmm": "bc_transformer_gmm",
}
BC_OPTIONS = {  # that it had for any of its networks
    "network",
    "loss",
    "hidden",
    "modes",
    "min_std",
    "rnn_dim",
    "rnn_layers",
    "width",
    "layers",
    "attention_heads",
    "dropout",
}


def upgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a policy with today's names; others than those of 0.1 stay as they are.

    0.1's `bc` was four policies, chosen by `network`. Raises `UserError` for another network.
    """
    if plain["name"] != "bc" or "network" not in plain:
        return dict(plain)
    if plain["network"] not in NETWORKS:
        raise unknown_name("policy.network of version 0.1", plain["network"], NETWORKS)
    name = NETWORKS[plain["network"]]
    own = {field.name for field in fields(POLICIES[name].options)}
    values = {key: value for key, value in plain.items() if key in own or key not in BC_OPTIONS}
    if values.get("loss", "") is None:  # it stood for the first that fits
        del values["loss"]
    return {**values, "name": name}
