"""A small spec and batches for the contract tests of heads and policies."""

from typing import Any

import torch

from s2robot.policies import POLICIES, Policy, PolicyConfig, make_policy
from s2robot.policies.observation import Statistics
from s2robot.types import Batch, CameraSpec, Features, Observation, Spec

SPEC = Spec(
    env_id="s2robot/PickCube-v0",
    env_kwargs={},
    action_dim=7,
    proprio={"robot0_eef_pos": 3, "robot0_gripper_qpos": 2},
    cameras={
        "agentview": CameraSpec("agentview_image", (448, 448), (24, 7, 5), scales=2, prefix=(3, 16)),
        "robot0_eye_in_hand": CameraSpec("robot0_eye_in_hand_image", (448, 448), (12, 4, 4), prefix=(1, 8)),
    },
)
OBS_STEPS = 2


# Every policy of the registry, and what else one of them can be.
CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in sorted(POLICIES)} | {
    "bc, l2": ("bc", {"loss": "l2", "hidden": [32]}),
    "bc, one action": ("bc", {"horizon": 1, "action_steps": 1}),
    "bc_gmm": ("bc_gmm", {"hidden": [64]}),
    "bc_rnn_gmm": ("bc_rnn_gmm", {"hidden": [64], "rnn_dim": 32}),
    "bc_rnn_gmm, one action": (
        "bc_rnn_gmm",
        {"hidden": [64], "rnn_dim": 32, "horizon": 1, "action_steps": 1},
    ),
    "bc_transformer_gmm": ("bc_transformer_gmm", {"width": 64, "dropout": 0.0}),
    "bc, foresight": ("bc", {"foresee": [8, -1]}),
    "bc, 6d": ("bc", {"rotation": "6d"}),
    "diffusion_unet, ddpm": ("diffusion_unet", {"sampler": "ddpm", "channels": [16, 32]}),
    "diffusion_unet, epsilon": ("diffusion_unet", {"prediction": "epsilon", "channels": [16, 32]}),
    "diffusion_unet, v": ("diffusion_unet", {"prediction": "v_prediction", "channels": [16, 32]}),
    "flow, velocity": ("flow", {"prediction": "velocity", "channels": [16, 32]}),
    "flow, transformer": ("flow", {"denoiser": "transformer", "width": 32}),
}


def make_batch(config: PolicyConfig, b: int = 3, seed: int = 0) -> Batch:
    """Random features and actions; the last row begins at an episode's start and ends after one step."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    steps = config.obs_steps
    maps = {name: random(b, steps, *camera.features).half() for name, camera in SPEC.cameras.items()}
    prefixes = {
        name: random(b, steps, *camera.prefix).half()
        for name, camera in SPEC.cameras.items()
        if camera.prefix
    }
    obs = Observation(
        {name: Features(maps[name], prefixes.get(name)) for name in maps},
        {key: random(b, steps, dim) for key, dim in SPEC.proprio.items()},
    )
    mask = torch.ones(b, config.horizon, dtype=torch.bool)
    mask[-1, 1:] = False
    past_mask = torch.ones(b, config.obs_steps * config.obs_stride, dtype=torch.bool)
    past_mask[-1] = False
    for values in obs.tensors():
        values[-1] = values[-1, -1]  # the first observation is repeated
    actions = random(b, config.horizon, 7) * 2 - 1
    past_actions = (random(*past_mask.shape, 7) * 2 - 1) * past_mask[..., None]
    return Batch(
        obs=obs,
        actions=actions,
        mask=mask,
        windows=torch.arange(b),
        past_actions=past_actions,
        past_mask=past_mask,
        executed=past_actions,
        future={key: random(b, len(config.foreseen), dim) for key, dim in SPEC.proprio.items()},
    )


def observed(batch: Batch, config: PolicyConfig) -> Observation:
    """Of a window what a rollout would give to `predict`."""
    return batch.obs.map(lambda values: values[:, -config.read_steps :])


def fitted(name: str, seed: int = 0, **options: Any) -> Policy:
    """An untrained policy with statistics."""
    policy = make_policy(SPEC, POLICIES[name].options(**{"obs_steps": OBS_STEPS, **options}), seed)
    batch = make_batch(policy.config, b=16)
    policy.fit(
        Statistics(
            features={
                name: (torch.full(camera.features[:1], 0.5), torch.full(camera.features[:1], 0.3))
                for name, camera in SPEC.cameras.items()
            },
            proprio={key: batch.obs.proprio[key].flatten(0, 1).numpy() for key in SPEC.proprio},
            actions=batch.actions.flatten(0, 1).numpy(),
        )
    )
    return policy
