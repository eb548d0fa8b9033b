"""A policy in training: optimiser, averaged weights, and their checkpoints."""

import json
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from jaxtyping import Float
from torch import Tensor

from s2robot import parallel
from s2robot.config import differences, left_out
from s2robot.errors import UserError
from s2robot.policies import Policy
from s2robot.runs import checkpoint, steps
from s2robot.runs.described import resumable
from s2robot.runs.finding import DESCRIPTION
from s2robot.training.options import PRECISIONS, OptimConfig
from s2robot.types import Batch

# Options that another start of a training may set otherwise: a hash says whether the data are the same.
MAY_CHANGE = (
    *(f"config.optim.{name}" for name in ("steps", "log_every", "valid_every", "checkpoint_every")),
    *(f"config.encoder.{name}" for name in ("backend", "weights")),
    *(f"config.data.{name}" for name in ("path", "allow_links")),
)
DATA_CHANGED = "actions, proprioception or lengths of the demonstrations in data.path are no longer the same"
EMA_POWER = 0.75  # diffusers' advice for short trainings


class Trainer:
    """Everything that changes while a policy is trained, and how it is saved and found again.

    `folder` holds the checkpoints; `description` (JSON data: spec, config, encoders, demonstrations,
    training_seeds) goes into each of them and must be the same for a training to be resumed.
    """

    def __init__(
        self, policy: Policy, optim: OptimConfig, folder: Path, description: Mapping[str, Any]
    ) -> None:
        self.policy, self.optim, self.folder = policy, optim, folder
        self.description = json.loads(json.dumps(description))
        self.samples: Mapping[str, Tensor] = {}  # frames with their features, for `s2robot.features.verify`
        self.keep: int | None = 1  # of the newest checkpoints; None: all
        self.stopped_by: signal.Signals | None = None
        self.until: int | None = None  # stop after this step, as a signal would; None: after the last
        self.saved: Callable[[], None] = lambda: None  # called when a checkpoint was written
        self.step, self.metrics = 0, dict[str, float]()
        self.best = math.inf  # smallest so far of what chooses: failure rate or action error
        self.parameters = {name: p for name, p in policy.named_parameters() if p.requires_grad}
        self.device = next(iter(self.parameters.values())).device
        # A number would be recorded in a graph as it was then. On a CPU AdamW reads it as the double it is.
        exact = torch.float64 if self.device.type == "cpu" else torch.float32
        self.learning_rate = torch.tensor(optim.learning_rate, dtype=exact, device=self.device)
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=self.learning_rate, weight_decay=optim.weight_decay, fused=True
        )
        for parameter in self.parameters.values():  # as its first step would, so that it can be restored
            zeros = (torch.zeros_like(parameter, memory_format=torch.preserve_format) for _ in range(2))
            moments = dict(zip(("exp_avg", "exp_avg_sq"), zeros, strict=True))
            step = torch.zeros((), device=parameter.device)
            self.optimizer.state[parameter] = {"step": step, **moments}
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=optim.precision == "fp16")
        schedule = get_cosine_schedule_with_warmup(self.optimizer, optim.warmup_steps, optim.steps)
        self.rate_at: Callable[[int], float] = schedule.lr_lambdas[0]  # a function of the step: no state
        self.rate = 0.0  # learning rate of the latest step
        self.ema = EMAModel(
            self.parameters.values(),
            decay=optim.ema_max_decay,
            use_ema_warmup=True,
            power=EMA_POWER,
            foreach=True,
        )

    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        """The policy's loss in the precision of `optim.precision`; weights and gradients are fp32.

        Of several processes each has its share of the batch; the mean of their losses is the joint one.
        """
        name = PRECISIONS[self.optim.precision]
        dtype = None if name is None else getattr(torch, name)
        autocast = torch.autocast(self.device.type, dtype, enabled=dtype is not None)
        with autocast, parallel.joint_loss():
            return self.policy.loss(batch)[0]

    def update(self, loss: Tensor) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """One optimiser step at the scheduled learning rate.

        Returns loss and norm of the gradient, of all processes together. fp16: a step whose scaled gradient
        overflowed is left out and has norm 0, as long as a smaller scale may help.
        """
        self.schedule()
        loss, norm = self.descend(loss)
        self.ema.step(self.parameters.values())
        self.step += 1
        return loss, norm

    def schedule(self) -> None:
        """Set the learning rate of the step to come."""
        self.rate = self.optim.learning_rate * self.rate_at(self.step)
        self.learning_rate.fill_(self.rate)

    def descend(self, loss: Tensor) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The part of `update` from the loss to the new weights, all of it on the device.

        Nothing is read back, so the CPU never waits for a GPU.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        loss = self._join_gradients(loss.detach())
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.optim.gradient_clip)
        if self.scaler.is_enabled():
            scale: Any = self.scaler._scale  # `get_scale` would wait for it
            norm = torch.where(scale > 1, norm.nan_to_num(0, 0, 0), norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss, norm

    def _join_gradients(self, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Replace the gradient by its mean over all processes, in one message; returns the mean loss."""
        if parallel.count() == 1:
            return loss
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters.values()]
        joint = parallel.mean(torch.cat([loss.float()[None], *(g.flatten() for g in gradients)]))
        parts = joint[1:].split([g.numel() for g in gradients])
        for parameter, part in zip(self.parameters.values(), parts, strict=True):
            parameter.grad = part.view_as(parameter)
        return joint[0]

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The policy with its averaged weights, in eval mode."""
        self.ema.store(self.parameters.values())
        self.ema.copy_to(self.parameters.values())
        self.policy.eval()
        try:
            yield
        finally:
            self.policy.train()
            self.ema.restore(self.parameters.values())

    def state(self) -> dict[str, Tensor]:
        """All tensors that training goes on from, by name: those in use, but for fp16's scale a copy."""
        tensors: dict[str, Tensor] = {}
        for (name, parameter), average in zip(self.parameters.items(), self.ema.shadow_params, strict=True):
            tensors |= {f"raw.{name}": parameter.data, f"ema.{name}": average}
            tensors |= {f"{key}.{name}": value for key, value in self.optimizer.state[parameter].items()}
        return tensors | {f"scaler.{key}": torch.tensor(v) for key, v in self.scaler.state_dict().items()}

    def save(self, is_best: bool) -> None:
        """Write a checkpoint: `last`, and `best` if it is (or there is none yet). The main process does."""
        if not parallel.is_main():
            return
        # by identity and not by name: robomimic's RNN holds its output layers under two names
        averages = {id(p): a for p, a in zip(self.parameters.values(), self.ema.shadow_params, strict=True)}
        held = self.policy.state_dict(keep_vars=True)
        weights = {name: averages.get(id(value), value) for name, value in held.items()}
        best = self.best if math.isfinite(self.best) else None  # JSON has no infinity
        description = {**self.description, "metrics": self.metrics, "best": best}
        links = ("best", "last") if is_best or not (self.folder / "best").exists() else ("last",)
        steps.mend(self.folder)
        parts = (weights, self.state(), description, self.samples, links)
        checkpoint.save(self.folder, self.step, *parts, keep=self.keep)
        self.saved()

    def is_finished(self) -> bool:
        """Whether the folder holds the last step of a training with the same settings."""
        last = steps.latest(self.folder)
        if last is None:
            return False
        found = checkpoint.read_description(last)
        if found["format"] != checkpoint.FORMAT or self._differences(found):
            return False
        return resumable(found, last / DESCRIPTION, self.description).step == self.optim.steps

    def resume(self) -> bool:
        """Go on from `last`; False if there is none yet.

        Raises `UserError` naming the differences when that training was set up differently, and for a
        description that was changed or damaged.
        """
        last = steps.latest(self.folder)
        if last is None:
            return False
        found = checkpoint.read_description(last)
        if found["format"] != checkpoint.FORMAT:
            raise UserError(
                f"{last} was written by an earlier version: it can be evaluated, and not be trained further"
            )
        about = resumable(found, last / DESCRIPTION, self.description)
        if lines := self._differences(found):
            raise UserError(f"{last} cannot be resumed: {'; '.join(lines)}")
        checkpoint.restore_training_state(last, state := self.state())
        self.scaler.load_state_dict({key: state[f"scaler.{key}"].item() for key in self.scaler.state_dict()})
        self.step, self.metrics = about.step, about.metrics
        self.best = math.inf if about.best is None else about.best
        self.ema.optimization_step = self.step
        self.samples = checkpoint.read_samples(last)
        return True

    def show(self, samples: Mapping[str, Tensor]) -> None:
        """Keep a few frames with their features for the checkpoints (`s2robot.features.sample`).

        Raises `UserError` if a resumed training saw other frames.
        """
        for name in filter(lambda name: name.startswith("frames."), self.samples):
            if name not in samples or not torch.equal(samples[name], self.samples[name]):
                camera = name.removeprefix("frames.")
                raise UserError(f"{self.folder / 'last'} cannot be resumed: {camera} has other frames here")
        self.samples = samples

    def _differences(self, found: Mapping[str, Any]) -> list[str]:
        """How the settings of a checkpoint differ from these, but for those that may change."""
        there = {key: found[key] for key in self.description if key in found}
        here = {key: self.description[key] for key in there}
        changed = there.pop("data_sha256", None) != here.pop("data_sha256", None)
        return [
            *([DATA_CHANGED] * changed),
            *differences(left_out(there, MAY_CHANGE), left_out(here, MAY_CHANGE)),
        ]
