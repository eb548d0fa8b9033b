"""How chunks become noise and noise becomes chunks: diffusion (diffusers' samplers) and flow matching.

A process corrupts clean chunks for training and tells the network's target; for acting it gives the
noise levels of the denoising steps and takes them one after another. Processes are shared, and keep nothing
of a call.
"""

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.options.diffusion import SAMPLERS

Generators = Sequence[torch.Generator] | None
TIME_SCALE = 1000.0  # flow's noise levels, 0 to 1, as the denoisers' embeddings want them


@runtime_checkable
class Process(Protocol):
    """The contract; chunks are normalised."""

    times: Float[Tensor, "k"]  # noise levels of the denoising steps, from pure noise on
    draws: bool  # whether denoising steps draw noise

    def corrupt(
        self, actions: Float[Tensor, "b ta da"]
    ) -> tuple[Float[Tensor, "b ta da"], Float[Tensor, "b"], Float[Tensor, "b ta da"]]:
        """Noisy chunks, their noise levels, and what the network is to predict; global random state."""

    def step(
        self,
        predicted: Float[Tensor, "b ta da"],
        index: int,
        noisy: Float[Tensor, "b ta da"],
        generators: Generators = None,
    ) -> Float[Tensor, "b ta da"]:
        """The chunk after denoising step `index`."""


class Diffusion:
    """Denoising diffusion with the cosine schedule (arXiv 2006.11239, 2102.09672), sampled by DDPM or DDIM.

    `steps` divides `train_timesteps`: then DDIM's steps are equally long, the first starts at pure noise
    and the last ends at the clean chunk. `clip` keeps the predicted clean chunk within [-1, 1].
    """

    def __init__(
        self, prediction: str, train_timesteps: int, sampler: str = "ddim", steps: int = 10, clip: bool = True
    ) -> None:
        self.prediction, self.draws = prediction, sampler == "ddpm"
        self.sampler = SAMPLERS[sampler](
            num_train_timesteps=train_timesteps,
            beta_schedule="squaredcos_cap_v2",
            prediction_type=prediction,
            clip_sample=clip,
            timestep_spacing="trailing",
        )
        self.sampler.set_timesteps(steps)
        self.times = self.sampler.timesteps.float()
        self._timesteps: list[int] = self.sampler.timesteps.tolist()
        self._samplers: dict[torch.device, Any] = {}

    def corrupt(
        self, actions: Float[Tensor, "b ta da"]
    ) -> tuple[Float[Tensor, "b ta da"], Float[Tensor, "b"], Float[Tensor, "b ta da"]]:
        noise = torch.randn_like(actions)
        last = self.sampler.config.num_train_timesteps
        timesteps = torch.randint(last, (len(actions),), device=actions.device)
        sampler = self._sampler(actions.device)
        noisy = sampler.add_noise(actions, noise, timesteps)
        if self.prediction == "sample":
            target = actions
        elif self.prediction == "epsilon":
            target = noise
        else:
            target = sampler.get_velocity(actions, noise, timesteps)
        return noisy, timesteps.float(), target

    def step(
        self,
        predicted: Float[Tensor, "b ta da"],
        index: int,
        noisy: Float[Tensor, "b ta da"],
        generators: Generators = None,
    ) -> Float[Tensor, "b ta da"]:
        timestep = self._timesteps[index]  # a number: nothing waits for a GPU
        generator = None if generators is None else list(generators)  # a row's noise is from its own
        sampler = self._sampler(noisy.device)
        return sampler.step(predicted, timestep, noisy, generator=generator, return_dict=False)[0]

    def _sampler(self, device: torch.device) -> Any:
        """Each device's own: samplers move their tables to the device of what they are given."""
        if device not in self._samplers:
            self._samplers[device] = copy.copy(self.sampler)
        return self._samplers[device]


class Flow:
    """Rectified flow (arXiv 2209.03003): straight lines from noise to chunks, followed by Euler steps.

    At noise level s the input is (1 - s) chunk + s noise, its velocity noise - chunk, and `steps` equal steps
    lead from s = 1 to s = 0. The network predicts the velocity, or the chunk, from which the velocity follows
    (arXiv 2511.13720).
    """

    draws = False

    def __init__(self, prediction: str, steps: int) -> None:
        self.prediction, self.steps = prediction, steps
        self.times = TIME_SCALE * (1 - torch.arange(steps) / steps)  # 1, .75, .5, .25 for 4 steps

    def corrupt(
        self, actions: Float[Tensor, "b ta da"]
    ) -> tuple[Float[Tensor, "b ta da"], Float[Tensor, "b"], Float[Tensor, "b ta da"]]:
        noise = torch.randn_like(actions)
        level = torch.rand(len(actions), device=actions.device)
        noisy = torch.lerp(actions, noise, level[:, None, None])
        return noisy, TIME_SCALE * level, actions if self.prediction == "sample" else noise - actions

    def step(
        self,
        predicted: Float[Tensor, "b ta da"],
        index: int,
        noisy: Float[Tensor, "b ta da"],
        generators: Generators = None,
    ) -> Float[Tensor, "b ta da"]:
        if self.prediction == "sample":  # the velocity is (noisy - predicted) / s with s = left / steps
            left = self.steps - index
            return torch.lerp(noisy, predicted, 1 / left)
        return noisy - predicted / self.steps


diffusion = lru_cache(maxsize=32)(Diffusion)  # a schedule is made once for its options, not once a chunk
flow = lru_cache(maxsize=32)(Flow)
