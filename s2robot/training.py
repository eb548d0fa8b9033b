"""The training loop: take a batch of cached features, step, average the weights, validate, save.

Every random number of step k comes from (seed, k): the order of the windows and the noise of a
diffusion policy need no saved state, and a resumed run is bit-equal to one that was never stopped.
"""

import signal
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

import torch
from torch import Tensor

from s2robot.data.loader import batches
from s2robot.data.windows import Windows
from s2robot.errors import UserError
from s2robot.metrics import MetricsLog
from s2robot.policies.base import action_error
from s2robot.progress import progress
from s2robot.seeding import mixed_seed
from s2robot.trainer import Trainer
from s2robot.types import Batch, FrameSource

VALID_WINDOWS = 512  # at most so many, evenly spread, are validated on


def train(
    trainer: Trainer, windows: Windows, valid: Windows, demos: FrameSource, seed: int, log: MetricsLog
) -> bool:
    """Train up to `optim.steps`; returns False when SIGTERM stopped it before (it saved then).

    `windows` are trained on and `valid` (may be empty) validated on, both of `demos`. Raises `UserError`
    naming the demonstrations of the batch when loss or gradient is not finite; nothing is saved then.
    """
    optim, policy = trainer.optim, trainer.policy.train()
    if optim.steps == 0:
        trainer.save(is_best=True)  # an untrained policy, to compare with
    steps = range(trainer.step, optim.steps)
    source = batches(windows, optim.batch_size, seed, steps, trainer.device)
    recent = _Recent(demos, windows)
    with _stop_requested() as stop:
        for step in progress(steps, len(steps), "train"):
            batch = recent.wait_for(source)
            torch.manual_seed(mixed_seed(seed, step))
            loss, _ = policy.loss(batch)
            norm = trainer.update(loss)
            recent.add(loss.detach(), norm, batch)

            stopping, done = stop.is_set(), trainer.step == optim.steps
            intervals = (optim.log_every, optim.valid_every, optim.checkpoint_every)
            log_due, valid_due, save_due = (done or trainer.step % every == 0 for every in intervals)
            if log_due or valid_due or save_due or stopping:
                recent.check_finite(trainer.step)
            if log_due:
                rate = {"train/learning_rate": trainer.optimizer.param_groups[0]["lr"]}
                log.write(trainer.step, recent.summary() | rate)
            is_best = False
            if valid_due and len(valid):
                trainer.metrics = validate(trainer, valid)
                log.write(trainer.step, trainer.metrics)
                is_best = trainer.metrics["valid/action_error"] < trainer.best
                trainer.best = min(trainer.best, trainer.metrics["valid/action_error"])
            if save_due or is_best or stopping:
                trainer.save(is_best or not len(valid))  # without validation the latest is the best known
            if stopping:
                break
    return trainer.step == optim.steps


def validate(trainer: Trainer, valid: Windows) -> dict[str, float]:
    """Loss and action error (environment's units) of the averaged weights, with the same noise each time."""
    chosen = torch.linspace(0, len(valid) - 1, min(len(valid), VALID_WINDOWS)).long()
    torch.manual_seed(0)  # the next step seeds itself
    losses, errors, counts = [], [], []
    with trainer.averaged_weights(), torch.no_grad():
        for part in chosen.split(trainer.optim.batch_size):
            batch = valid.batch(part).to(trainer.device)
            losses.append(trainer.policy.loss(batch)[0])
            errors.append(action_error(trainer.policy, batch))
            counts.append(batch.mask.sum())
    weights = torch.stack(counts).double()
    loss, error = ((torch.stack(v) * weights).sum() / weights.sum() for v in (losses, errors))
    return {"valid/loss": float(loss), "valid/action_error": float(error)}


class _Recent:
    """The steps since the last line of the log; their losses stay on the device until they are asked for."""

    def __init__(self, demos: FrameSource, windows: Windows) -> None:
        self.demos, self.windows = demos, windows
        self._restart()

    def _restart(self) -> None:
        self.steps: list[tuple[Tensor, Tensor, Tensor]] = []  # loss, norm of the gradient, windows "b"
        self.started, self.waited_s = time.perf_counter(), 0.0

    def wait_for(self, source: Iterator[Batch]) -> Batch:
        asked = time.perf_counter()
        batch = next(source)
        self.waited_s += time.perf_counter() - asked
        return batch

    def add(self, loss: Tensor, norm: Tensor, batch: Batch) -> None:
        self.steps.append((loss, norm, batch.windows))

    def summary(self) -> dict[str, float]:
        """Means since the last call; the next ones are counted from here."""
        losses, norms, windows = zip(*self.steps, strict=True)
        seconds = time.perf_counter() - self.started
        means = {
            "train/loss": float(torch.stack(losses).mean()),
            "train/gradient_norm": float(torch.stack(norms).mean()),
            "speed/samples_per_s": sum(map(len, windows)) / seconds,
            "speed/waiting_for_data": self.waited_s / seconds,
        }
        self._restart()
        return means

    def check_finite(self, step: int) -> None:
        """Raise `UserError` if a loss or gradient was not finite; `step` steps are done."""
        finite = torch.stack([torch.stack([loss, norm]).isfinite().all() for loss, norm, _ in self.steps])
        if finite.all():
            return
        first = int(finite.int().argmin())
        _, _, windows = self.steps[first]
        ends = list(accumulate(self.demos.lengths))
        seen = {bisect_right(ends, self.windows.frame(window)) for window in windows.tolist()}
        names = ", ".join(self.demos.episodes[episode] for episode in sorted(seen))
        raise UserError(
            f"loss or gradient is not finite at step {step - len(self.steps) + first}: "
            f"lower optim.learning_rate, or look for wrong numbers in the batch's demonstrations {names}"
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
