"""Policies from their configuration."""

import torch

from s2robot.policies import POLICIES, PolicyConfig
from s2robot.policies.base import Policy
from s2robot.types import Spec


def make_policy(spec: Spec, config: PolicyConfig, seed: int = 0) -> Policy:
    """Build the policy that `config.name` names, with weights drawn from `seed`."""
    policy_class, _ = POLICIES[config.name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return policy_class(spec, config)
