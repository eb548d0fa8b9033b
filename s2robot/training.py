"""The training loop: take a batch of cached features, step, average the weights, validate, save.

Every random number of step k comes from (seed, k): the order of the windows and the noise of a
diffusion policy need no saved state, and a resumed run is bit-equal to one that was never stopped.
"""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import Tensor

from s2robot import checkpoint
from s2robot.config import OptimConfig
from s2robot.data.loader import batches
from s2robot.data.windows import Windows
from s2robot.errors import UserError
from s2robot.metrics import MetricsLog
from s2robot.policies import Policy
from s2robot.policies.base import action_error
from s2robot.progress import progress
from s2robot.seeding import mixed_seed

VALID_WINDOWS = 512  # at most so many, evenly spread, are validated on
EMA_POWER = 0.75  # diffusers' advice for short trainings


class Trainer:
    """A policy in training: optimiser, averaged weights, and their checkpoints."""

    def __init__(
        self,
        policy: Policy,
        optim: OptimConfig,
        run_dir: Path,
        description: Mapping[str, Any],  # into every checkpoint: spec, config, encoders, training_seeds
    ) -> None:
        self.policy, self.optim = policy, optim
        self.folder = run_dir / "checkpoints"
        self.description = json.loads(json.dumps(description))
        self.step, self.best, self.metrics = 0, float("inf"), dict[str, float]()
        self.parameters = {name: p for name, p in policy.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=optim.learning_rate, weight_decay=optim.weight_decay
        )
        schedule = get_cosine_schedule_with_warmup(self.optimizer, optim.warmup_steps, optim.steps)
        self.rate_at: Callable[[int], float] = schedule.lr_lambdas[0]  # a function of the step: no state
        self.ema = EMAModel(
            self.parameters.values(), decay=optim.ema_max_decay, use_ema_warmup=True, power=EMA_POWER
        )

    def update(self, loss: Tensor) -> None:
        """One optimiser step at the scheduled learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.optim.learning_rate * self.rate_at(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.optim.gradient_clip)
        self.optimizer.step()
        self.ema.step(self.parameters.values())
        self.step += 1

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

    def save(self, is_best: bool) -> None:
        """Write a checkpoint: `last`, and `best` if it is."""
        averaged = dict(zip(self.parameters, self.ema.shadow_params, strict=True))
        state = {f"raw.{name}": parameter for name, parameter in self.parameters.items()}
        state |= {f"ema.{name}": average for name, average in averaged.items()}
        for name, parameter in self.parameters.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                state[f"{moment}.{name}"] = self.optimizer.state[parameter][moment]
        description = {**self.description, "metrics": self.metrics, "best": self.best}
        weights = self.policy.state_dict() | averaged
        links = ("last", "best") if is_best or not (self.folder / "best").exists() else ("last",)
        checkpoint.save(self.folder, self.step, weights, state, description, links)

    def resume(self) -> None:
        """Go on from `last`. Raises `UserError` when that run was configured differently."""
        last = self.folder / "last"
        found = checkpoint.read_description(last)
        for key in ("spec", "config", "encoders"):
            if different := _differences(found[key], self.description[key], key):
                raise UserError(f"{last} cannot be resumed: {'; '.join(different)}")
        state = checkpoint.load_training_state(last)
        self.step, self.best, self.metrics = found["step"], found["best"], found["metrics"]
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[f"raw.{name}"])
        for average, name in zip(self.ema.shadow_params, self.parameters, strict=True):
            average.copy_(state[f"ema.{name}"])
        self.ema.optimization_step = self.step
        steps = torch.tensor(float(self.step))
        moments = {
            i: {"step": steps.clone(), **{m: state[f"{m}.{name}"] for m in ("exp_avg", "exp_avg_sq")}}
            for i, name in enumerate(self.parameters)
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})


def train(
    trainer: Trainer, train: Windows, valid: Windows, seed: int, log: MetricsLog, device: torch.device
) -> bool:
    """Train up to `optim.steps`; returns False when SIGTERM stopped it (it saved then).

    Raises `UserError` naming the demonstrations' windows when the loss is not finite.
    """
    optim, policy = trainer.optim, trainer.policy.train()
    steps = range(trainer.step, optim.steps)
    recent: list[tuple[Tensor, Tensor]] = []  # (loss, windows) since the last line of the log
    started, waited = time.perf_counter(), 0.0
    with _stop_requested() as stop:
        source = batches(train, optim.batch_size, seed, steps, device)
        for step in progress(steps, len(steps), "train"):
            asked = time.perf_counter()
            batch = next(source)
            waited += time.perf_counter() - asked
            torch.manual_seed(mixed_seed(seed, step))
            loss, _ = policy.loss(batch)
            trainer.update(loss)
            recent.append((loss.detach(), batch.windows))
            done, stopping = step + 1 == optim.steps, stop.is_set()
            due = [(step + 1) % n == 0 for n in (optim.log_every, optim.valid_every, optim.checkpoint_every)]
            log_due, valid_due, save_due = (d or done for d in due)
            if log_due or valid_due or save_due or stopping:
                _check_finite(recent, step)
            if log_due:
                seconds = time.perf_counter() - started
                log.write(
                    step + 1,
                    {
                        "train/loss": float(torch.stack([value for value, _ in recent]).mean()),
                        "train/learning_rate": trainer.optimizer.param_groups[0]["lr"],
                        "speed/samples_per_s": len(recent) * optim.batch_size / seconds,
                        "speed/waiting_for_data": waited / seconds,
                    },
                )
                recent, started, waited = [], time.perf_counter(), 0.0
            is_best = False
            if valid_due and len(valid):
                trainer.metrics = validate(trainer, valid, optim.batch_size, device)
                log.write(step + 1, trainer.metrics)
                is_best = trainer.metrics["valid/action_error"] < trainer.best
                trainer.best = min(trainer.best, trainer.metrics["valid/action_error"])
            if save_due or is_best or stopping:
                trainer.save(is_best)
            if stopping:
                return False
    return True


def validate(trainer: Trainer, valid: Windows, batch_size: int, device: torch.device) -> dict[str, float]:
    """Loss and action error (environment's units) of the averaged weights, with the same noise each time."""
    chosen = torch.linspace(0, len(valid) - 1, min(len(valid), VALID_WINDOWS)).long()
    torch.manual_seed(0)  # the next step seeds itself
    losses, errors, counts = [], [], []
    with trainer.averaged_weights(), torch.no_grad():
        for part in chosen.split(batch_size):
            batch = valid.batch(part).to(device)
            losses.append(trainer.policy.loss(batch)[0])
            errors.append(action_error(trainer.policy, batch))
            counts.append(batch.mask.sum())
    weights = torch.stack(counts).double()
    loss, error = ((torch.stack(v) * weights).sum() / weights.sum() for v in (losses, errors))
    return {"valid/loss": float(loss), "valid/action_error": float(error)}


def _check_finite(recent: list[tuple[Tensor, Tensor]], step: int) -> None:
    finite = torch.stack([loss for loss, _ in recent]).isfinite().tolist()
    if not all(finite):
        k = finite.index(False)
        windows = recent[k][1].tolist()
        at = step + 1 - len(recent) + k
        raise UserError(
            f"the loss is not finite at step {at}; lower optim.learning_rate or look at windows {windows}"
        )


@contextmanager
def _stop_requested() -> Iterator[threading.Event]:
    """An event that SIGTERM sets, where signals can be handled (the main thread)."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.signal(signal.SIGTERM, lambda signum, frame: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGTERM, previous)


def _differences(old: Any, new: Any, where: str) -> list[str]:
    """Where two pieces of plain data differ, one line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [line for key in keys for line in _differences(old.get(key), new.get(key), f"{where}.{key}")]
    return [] if old == new else [f"{where} was {old!r} and is {new!r}"]
