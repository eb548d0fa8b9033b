"""A policy with its encoders: raw observations in, actions out. What rollouts act with."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from s2robot.device import torch_threads
from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies import Policy
from s2robot.types import camera_of, prefix_key


class Agent:
    """Implements `s2robot.types.Actor` with the encoders that the policy's features came from.

    `action_steps` executes more or fewer steps of each chunk than the policy was configured with.
    Raises `UserError` if that is beyond its horizon.
    """

    def __init__(
        self,
        policy: Policy,
        encoders: CameraEncoders,
        device: torch.device,
        action_steps: int | None = None,
    ) -> None:
        if action_steps is not None:
            policy.config = replace(policy.config, action_steps=action_steps)
            policy.config.check()
        self.policy = policy.to(device).eval()
        self.encoders = encoders
        self.device = device
        self.obs_keys = (*policy.spec.images, *policy.spec.proprio)
        self.obs_steps = policy.config.read_steps
        self.action_steps = policy.config.action_steps

    @torch.inference_mode()
    def act(
        self,
        obs: Mapping[str, np.ndarray],
        states: Sequence[Any],
        generators: Sequence[torch.Generator],
    ) -> tuple[Float[np.ndarray, "b ta da"], list[Any]]:
        """A chunk of actions for each episode; see `Actor`."""
        seen = {}
        for key in self.policy.spec.images:
            b, to = obs[key].shape[:2]
            frames = obs[key].reshape(b * to, *obs[key].shape[2:])
            features = self.encoders.encode(camera_of(key), frames)
            seen[key] = features.map.to(self.device).unflatten(0, (b, to))
            if self.policy.config.reads_prefix and features.prefix is not None:
                seen[prefix_key(camera_of(key))] = features.prefix.to(self.device).unflatten(0, (b, to))
        for key in self.policy.spec.proprio:
            values = torch.as_tensor(np.asarray(obs[key], dtype=np.float32), device=self.device)
            seen[key] = values.reshape(*values.shape[:2], -1)  # b to d
        # On a CPU one thread: the simulators have the other cores, and a policy's many small operations would
        # wait for a second thread that is not scheduled. It also makes the numbers independent of the cores.
        with torch_threads(1) if self.device.type == "cpu" else nullcontext():
            actions, after = self.policy.predict(seen, states, generators)
        return actions.cpu().numpy(), list(after if after is not None else states)
