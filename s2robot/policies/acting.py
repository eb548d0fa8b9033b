"""Options of a trained policy that an evaluation may set, because no weight depends on them."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot.errors import UserError, unknown_name
from s2robot.policies.base import Policy


def acting_options(policy: Policy) -> dict[str, Any]:
    """Their values."""
    return {name: getattr(policy.config, name) for name in policy.config.ACTING}


def set_acting_options(policy: Policy, options: Mapping[str, Any]) -> None:
    """Change how a policy acts, for instance `{"inference_steps": 100}`.

    Raises `UserError`, the policy as it was, for other options, wrong types and values that do not fit.
    """
    name, known = policy.config.name, policy.config.ACTING
    for option in options:
        if option not in known and (not known or hasattr(policy.config, option)):
            told = f"an evaluation of {name} sets {', '.join(known) or 'none of its options'}"
            raise UserError(f"policy.{option} cannot be changed now: {told}")
        if option not in known:
            raise unknown_name(f"option of {name} in an evaluation", option, known)
    try:
        typed: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(policy.config), dict(options)))
    except OmegaConfBaseException as error:
        raise UserError(f"policy.{getattr(error, 'full_key', '')}: {str(error).splitlines()[0]}") from error
    typed.check()
    policy.config = typed
