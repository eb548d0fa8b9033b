"""A small spec and batches for the contract tests of heads and policies."""

import torch

from s2robot.policies import POLICIES, Policy, PolicyConfig, make_policy
from s2robot.policies.observation import Statistics
from s2robot.types import Batch, Spec

SPEC = Spec(
    env_id="s2robot/PickCube-v0",
    env_kwargs={},
    action_dim=7,
    proprio={"robot0_eef_pos": 3, "robot0_gripper_qpos": 2},
    images={"agentview_image": (448, 448), "robot0_eye_in_hand_image": (448, 448)},
    features={"agentview_image": (24, 7, 5), "robot0_eye_in_hand_image": (12, 4, 4)},
    scales={"agentview_image": 2, "robot0_eye_in_hand_image": 1},
    prefix={"agentview_prefix": (3, 16), "robot0_eye_in_hand_prefix": (1, 8)},
)
OBS_STEPS = 2


def make_batch(config: PolicyConfig, b: int = 3, seed: int = 0) -> Batch:
    """Random features and actions; the last row ends after its first step."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    obs = {key: random(b, config.obs_steps, *shape).half() for key, shape in SPEC.features.items()}
    obs |= {key: random(b, config.obs_steps, *shape).half() for key, shape in SPEC.prefix.items()}
    obs |= {key: random(b, config.obs_steps, dim) for key, dim in SPEC.proprio.items()}
    mask = torch.ones(b, config.horizon, dtype=torch.bool)
    mask[-1, 1:] = False
    return Batch(obs, random(b, config.horizon, 7) * 2 - 1, mask, torch.arange(b))


def fitted(name: str, seed: int = 0, **options: object) -> Policy:
    """An untrained policy with statistics."""
    policy = make_policy(SPEC, POLICIES[name][1](obs_steps=OBS_STEPS, **options), seed)
    batch = make_batch(policy.config, b=16)
    policy.fit(
        Statistics(
            features={
                key: (torch.full((shape[0],), 0.5), torch.full((shape[0],), 0.3))
                for key, shape in SPEC.features.items()
            },
            proprio={key: batch.obs[key].flatten(0, 1).numpy() for key in SPEC.proprio},
            actions=batch.actions.flatten(0, 1).numpy(),
        )
    )
    return policy
