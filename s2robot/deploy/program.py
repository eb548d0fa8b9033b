"""A policy as one program, from pixels to actions: encoder, S2, heads, network and normalisation.

It is what `s2robot.deploy.export` writes. Its inputs are tensors in the order of `inputs`, without a batch
axis: frames uint8 "to h w 3" as the dataset stored them, proprioception "to d", for policies that draw their
chunk the noise "ta d" to draw it from, and for policies that remember the state of an episode. The outputs
are actions "ta da" in the dataset's units and the state to give back next time.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from copy import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.encoders.backends.base import Backend, frozen
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.s2 import S2
from s2robot.errors import UserError
from s2robot.policies import Policy
from s2robot.policies.generative import GenerativePolicy
from s2robot.policies.remembering import RememberingPolicy
from s2robot.types import Features, Observation

NOISE = "noise"  # name of that input
STATE = "state_"  # what is carried is the input state_NAME and the output next_state_NAME
NEXT = "next_"
ACTIONS = "actions"
MANY = 2**20  # tiles of one batch: all


class Program(nn.Module):
    """The module that is exported. Raises `UserError` for policies that it cannot be made of."""

    def __init__(self, policy: Policy, encoders: CameraEncoders) -> None:
        super().__init__()
        config, base = policy.config, encoders.base
        if config.remembers and not isinstance(policy, RememberingPolicy):
            raise UserError(
                f"{config.name} cannot be exported: it remembers and is no RememberingPolicy, so its "
                "state has no fixed shapes; `s2robot serve` and `s2robot.load_policy` keep it"
            )
        if getattr(config, "sampler", "") == "ddpm":
            raise UserError(
                "the sampler ddpm draws noise in every step, which a program has no input for: "
                "export with --set sampler=ddim"
            )
        if base.spec.precision != "float32":
            raise UserError(f"encoder.precision={base.spec.precision} cannot be exported, only float32")
        self.policy, self.spec = policy, policy.spec
        self.network = frozen(base.backend.build(), base.spec)
        self._encoders = {
            camera: _traceable(encoders.encoder(camera), self.network) for camera in self.spec.cameras
        }
        steps = config.read_steps
        # By name, in the order of the arguments: shape and dtype.
        self.inputs: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            camera.key: ((steps, *camera.size, 3), torch.uint8) for camera in self.spec.cameras.values()
        }
        for key, dim in self.spec.proprio.items():
            self.inputs[key] = ((steps, dim), torch.float32)
        if isinstance(policy, GenerativePolicy):
            self.inputs[NOISE] = ((config.horizon, policy.actions.dim), torch.float32)
            # The process is kept by its options: made while operations are recorded it would hold no numbers.
            self.times = policy.process().times
        self.start: dict[str, Tensor] = {}  # the state that an episode begins with, by the inputs' names
        if isinstance(policy, RememberingPolicy):
            self.start = {STATE + name: one.start for name, one in policy.carries().items()}
        for name, values in self.start.items():
            if name in self.inputs:
                raise UserError(
                    f"{config.name} cannot be exported: an observation has its state's name {name}"
                )
            self.inputs[name] = (tuple(values.shape), values.dtype)
        self.outputs = (ACTIONS, *(NEXT + name for name in self.start))

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Actions, and the state of an episode behind them if there is one: in the order of `start`."""
        given = dict(zip(self.inputs, inputs, strict=True))
        features = {}
        for name, camera in self.spec.cameras.items():
            frames = given[camera.key].flip([axis + 1 for axis in camera.flips])
            seen = self._encoders[name].encode(frames)
            prefix = seen.prefix if self.policy.config.reads_prefix else None
            features[name] = Features(seen.map[None], None if prefix is None else prefix[None])
        obs = Observation(features, {key: given[key][None] for key in self.spec.proprio})
        if isinstance(self.policy, GenerativePolicy):
            return self.policy.denoise(obs, given[NOISE][None], self.times)[0]
        if isinstance(self.policy, RememberingPolicy):
            carried = {name.removeprefix(STATE): given[name][None] for name in self.start}
            actions, after = self.policy.decide(obs, carried)
            return (actions[0], *(after[name][0] for name in carried))
        return self.policy.predict(obs)[0][0]


class _Traceable(Backend):
    """A network called as it is, so that its operations are recorded."""

    name = "program"
    max_tiles = MANY

    def __init__(self, network: nn.Module) -> None:
        self.network, self.device = network, torch.device("cpu")

    def beside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        outs = [self.network(tiles) for tiles in batches]
        return [Features(*out) if isinstance(out, tuple) else Features(out) for out in outs]


def _traceable(encoder: S2, network: nn.Module) -> S2:
    traceable = copy(encoder)
    traceable.backend = _Traceable(network)
    return traceable
