"""Options of a trained policy that an evaluation may set, because no weight depends on them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from s2robot.config import as_declared
from s2robot.errors import UserError, unknown_name
from s2robot.policies.base import Policy


def acting_options(policy: Policy) -> dict[str, Any]:
    """Their values."""
    return {name: getattr(policy.config, name) for name in policy.config.ACTING}


def set_acting_options(policy: Policy, options: Mapping[str, Any]) -> None:
    """Change how a policy acts, for instance `{"inference_steps": 100}` or `{"action_steps": 1}`.

    Raises `UserError`, the policy as it was, for other options, wrong types and values that do not fit.
    """
    name, known = policy.config.name, policy.config.ACTING
    for option in options:
        if option not in known and hasattr(policy.config, option):
            raise UserError(
                f"policy.{option} cannot be changed now: an evaluation of {name} sets {', '.join(known)}"
            )
        if option not in known and option == "temporal_ensemble":
            raise UserError("temporal_ensemble=M is an argument of its own, beside the options of a policy")
        if option not in known:
            raise unknown_name(f"option of {name} in an evaluation", option, known)
    typed = replace(policy.config, **as_declared(type(policy.config), options, "policy."))
    typed.check()
    if typed.remembers and typed.action_steps != policy.config.action_steps:
        raise UserError(
            f"policy.action_steps={typed.action_steps}: {name} remembers one observation every "
            f"{policy.config.action_steps} actions, as it was trained; action_steps must be that"
        )
    policy.config = typed
