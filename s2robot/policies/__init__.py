"""Policies by name. A new one is a class, a config dataclass, a line here and a YAML in configs/policy."""

import torch

from s2robot.policies.act import ACT, ACTConfig
from s2robot.policies.base import Policy, PolicyConfig
from s2robot.policies.bc import BC, BCConfig
from s2robot.policies.bc_paper import BCPaper, BCPaperConfig
from s2robot.policies.diffusion import (
    DiffusionTransformer,
    DiffusionTransformerConfig,
    DiffusionUNet,
    DiffusionUNetConfig,
)
from s2robot.policies.flow import FlowConfig, FlowPolicy
from s2robot.registry import Registry
from s2robot.types import Spec

POLICIES: Registry[tuple[type[Policy], type[PolicyConfig]]] = Registry("policy")
POLICIES["act"] = (ACT, ACTConfig)
POLICIES["bc"] = (BC, BCConfig)
POLICIES["bc_paper"] = (BCPaper, BCPaperConfig)
POLICIES["diffusion_transformer"] = (DiffusionTransformer, DiffusionTransformerConfig)
POLICIES["diffusion_unet"] = (DiffusionUNet, DiffusionUNetConfig)
POLICIES["flow"] = (FlowPolicy, FlowConfig)


def make_policy(spec: Spec, config: PolicyConfig, seed: int = 0) -> Policy:
    """Build the policy that `config.name` names, with weights drawn from `seed`."""
    policy_class, _ = POLICIES[config.name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return policy_class(spec, config)
