"""A policy with its encoders: raw observations in, actions out. What rollouts act with."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from s2robot.device import torch_threads
from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies import Policy
from s2robot.policies.fixed_rows import in_fixed_rows
from s2robot.rollouts.looking import Look, look
from s2robot.types import Features, Observation


class Agent:
    """Implements `s2robot.types.Actor` with the encoders that the policy's features came from.

    How it acts is set on the policy, with `s2robot.policies.acting.set_acting_options`.
    """

    def __init__(
        self, policy: Policy, encoders: CameraEncoders, device: torch.device, batch: int | None = None
    ) -> None:
        """`batch`: the most episodes of one call; with it a GPU replays the denoising of a chunk."""
        self.policy = policy.to(device).eval()
        self.encoders = encoders
        self.device = device
        self.obs_keys = tuple(policy.spec.observed)
        self.obs_steps = policy.config.read_steps
        self.action_steps = policy.config.action_steps
        self._seen: Observation | None = None  # of the last `act`
        if device.type == "cuda" and batch is not None:
            self._predict = in_fixed_rows(self.policy, batch)
        else:
            self._predict = self.policy.predict

    @torch.inference_mode()
    def act(
        self,
        obs: Mapping[str, np.ndarray],
        states: Sequence[Any],
        generators: Sequence[torch.Generator],
    ) -> tuple[Float[np.ndarray, "b ta da"], list[Any]]:
        """A chunk of actions for each episode; see `Actor`."""
        self._seen = seen = self._see(obs)
        # On a CPU one thread: the simulators have the other cores, and a policy's many small operations would
        # wait for a second thread that is not scheduled. It also makes the numbers independent of the cores.
        with torch_threads(1) if self.device.type == "cpu" else nullcontext():
            actions, after = self._predict(seen, states, generators)
        return actions.cpu().numpy(), list(after if after is not None else states)

    @torch.inference_mode()
    def look(self, row: int) -> dict[str, Look]:
        """What the heads looked at in the newest frame of a row of the last `act`; see `Actor`."""
        assert self._seen is not None
        cameras, observe = self.policy.spec.cameras, self.policy.observe
        weights = observe.look(self._seen.map(lambda values: values[[row]]))
        return {
            cameras[name].key: look(found[0].float().cpu().numpy(), observe.gives_keypoints(name))
            for name, found in weights.items()
        }

    def _see(self, obs: Mapping[str, np.ndarray]) -> Observation:
        """Raw observations "b to ..." as the policy reads them."""
        spec = self.policy.spec
        return Observation(
            features={name: self._encode(name, obs[camera.key]) for name, camera in spec.cameras.items()},
            proprio={key: self._flat(obs[key]) for key in spec.proprio},
        )

    def executed(self, state: Any, actions: Float[np.ndarray, "k da"]) -> Any:
        """An episode's state when these actions were executed since its last decision; see `Actor`."""
        values = torch.as_tensor(np.asarray(actions, dtype=np.float32), device=self.device)
        return self.policy.executed(state, values)

    def _encode(self, camera: str, frames: UInt8[np.ndarray, "b to h w 3"]) -> Features:
        """Features "b to ..." of a camera's frames, with prefix tokens if the policy reads them."""
        b, to = frames.shape[:2]
        features = self.encoders.encode(camera, frames.reshape(b * to, *frames.shape[2:]))
        maps = features.map.to(self.device).unflatten(0, (b, to))
        if features.prefix is None or not self.policy.config.reads_prefix:
            return Features(maps)
        return Features(maps, features.prefix.to(self.device).unflatten(0, (b, to)))

    def _flat(self, values: np.ndarray) -> Float[torch.Tensor, "b to d"]:
        """Proprioception of any shape, flattened as the dataset's is."""
        tensor = torch.as_tensor(np.asarray(values, dtype=np.float32), device=self.device)
        return tensor.reshape(*tensor.shape[:2], -1)
