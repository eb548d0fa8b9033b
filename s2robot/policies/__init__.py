"""Policies by name. A new one is a class, a config dataclass, a line here and a YAML in configs/policy."""

from s2robot.errors import Registry
from s2robot.policies.base import Policy, PolicyConfig
from s2robot.policies.bc import BC, BCConfig
from s2robot.policies.diffusion import DiffusionUNet, DiffusionUNetConfig
from s2robot.types import Spec

POLICIES: Registry[tuple[type[Policy], type[PolicyConfig]]] = Registry("policy")
POLICIES["bc"] = (BC, BCConfig)
POLICIES["diffusion_unet"] = (DiffusionUNet, DiffusionUNetConfig)


def make_policy(spec: Spec, config: PolicyConfig) -> Policy:
    """Build the policy that `config.name` names, untrained."""
    policy_class, _ = POLICIES[config.name]
    return policy_class(spec, config)
