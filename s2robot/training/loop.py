"""The training loop: take a batch of cached features, step, average the weights, validate, save.

Every random number of step k comes from (seed, k): the order of the windows and the noise of a
diffusion policy need no saved state, and on a CPU a resumed run is bit-equal to one that was never stopped.
Several processes (`s2robot.parallel`) take the same steps together, each with its share of the windows
and its own noise; the main one rolls out and writes.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import TypeVar

import torch
from torch import Tensor

from s2robot import parallel
from s2robot.datasets.windows import Windows
from s2robot.errors import UserError
from s2robot.features.source import FrameSource
from s2robot.policies.base import action_error
from s2robot.progress import progress
from s2robot.runs.metrics import Log
from s2robot.seeding import mixed_seed
from s2robot.training.batches import windows_of_step
from s2robot.training.step import make_step
from s2robot.training.stopping import stop_requested
from s2robot.training.trainer import Trainer

T = TypeVar("T")
VALID_WINDOWS = 512  # at most so many, evenly spread, are validated on
ASK_EVERY = 10  # steps after which several processes agree whether to stop


def train(
    trainer: Trainer,
    windows: Windows,
    valid: Windows,
    demos: FrameSource,
    seed: int,
    log: Log,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    replay: Callable[[], None] | None = None,
) -> bool:
    """Train up to `optim.steps`; returns False when `trainer.stopped_by` stopped it before (it saved then).

    `windows` are trained on and `valid` (may be empty) validated on, both of `demos`. `evaluate` rolls the
    policy out every so many steps, unless 0, and its success rate chooses the best checkpoint; otherwise
    the action error in validation does. `replay` is called at each validation before the last, with the
    averaged weights. Raises `UserError` naming the demonstrations of the batch when loss or gradient is not
    finite; nothing is saved then.
    """
    optim = trainer.optim
    trainer.policy.train()
    if optim.batch_size < parallel.count():
        raise UserError(f"optim.batch_size={optim.batch_size} is too small for {parallel.count()} processes")
    rollouts = evaluate is not None and evaluate_every > 0
    if optim.steps == trainer.step == 0:
        trainer.save(is_best=True)  # an untrained policy, to compare with
    steps = range(trainer.step, optim.steps)
    take_step = make_step(trainer, windows, seed, steps)
    recent = _Recent(demos, windows, optim.batch_size, seed)
    with stop_requested() as stop:
        shown = progress(steps, len(steps), "train", lambda: recent.told) if parallel.is_main() else steps
        for step in shown:
            torch.manual_seed(mixed_seed(seed, step, *([parallel.rank()] if parallel.rank() else [])))
            recent.add(*take_step(step), take_step.waited_s)

            done = trainer.step == optim.steps
            asked = _stop_together(stop.requested, trainer)
            stopping = asked or trainer.step == trainer.until
            intervals = (optim.log_every, optim.valid_every, optim.checkpoint_every)
            log_due, valid_due, save_due = (done or trainer.step % every == 0 for every in intervals)
            rollout_due = rollouts and (done or trainer.step % evaluate_every == 0)
            if log_due or valid_due or save_due or rollout_due or stopping:
                recent.check_finite(trainer.step)
            if log_due:
                log.write(trainer.step, recent.summary() | {"train/learning_rate": trainer.rate})
            judged: dict[str, float] = {}
            if valid_due and len(valid):
                judged |= validate(trainer, valid)
            if valid_due and not done and replay is not None:
                _in_main(trainer, replay)
            if rollout_due and evaluate is not None:
                judged |= _in_main(trainer, evaluate) or {}
            if judged:
                trainer.metrics = trainer.metrics | judged
                log.write(trainer.step, judged)
            is_best = _is_best(trainer, judged, rollouts)
            if save_due or is_best or stopping:
                trainer.save(is_best or not (rollouts or len(valid)))  # unjudged, the latest is best
            if stopping:
                trainer.stopped_by = stop.signal if asked and not done else None
                break
    return trainer.step >= optim.steps  # more, where it was trained further before


def validate(trainer: Trainer, valid: Windows) -> dict[str, float]:
    """Loss and action error (environment's units) of the averaged weights, with the same noise each time.

    Where a policy's loss is a sum, its parts as well.
    """
    chosen = torch.linspace(0, len(valid) - 1, min(len(valid), VALID_WINDOWS)).long()
    batches = chosen.split(trainer.optim.batch_size)
    share = parallel.share(torch.arange(len(batches))).tolist()
    sums, means = list[Tensor](), dict[str, Tensor]()
    with trainer.averaged_weights(), torch.no_grad():
        for number in share or [0]:  # without a share it must know the names, and counts nothing
            batch = valid.batch(batches[number]).to(trainer.device)
            torch.manual_seed(number)  # the next step seeds itself
            loss, parts = trainer.policy.loss(batch)
            means = {"loss": loss, "action_error": action_error(trainer.policy, batch)}
            means |= parts if len(parts) > 1 else {}
            counted = batch.mask.sum() if share else torch.zeros((), device=trainer.device)
            sums.append(torch.stack([*means.values(), torch.ones_like(loss)]).double() * counted)
    *totals, steps = parallel.total(torch.stack(sums).sum(0)).tolist()
    return {f"valid/{name}": total / steps for name, total in zip(means, totals, strict=True)}


def _in_main(trainer: Trainer, function: Callable[[], T]) -> T | None:
    """What `function` returns with the averaged weights, in the main process; the others wait."""
    result = None
    if parallel.is_main():
        with trainer.averaged_weights():
            result = function()
    parallel.wait()
    return result


def _is_best(trainer: Trainer, judged: Mapping[str, float], rollouts: bool) -> bool:
    """Whether this is the best so far; of equal success rates the later is, having seen more."""
    key = "rollout/success_rate" if rollouts else "valid/action_error"
    if key not in judged:
        return False
    score = 1 - judged[key] if rollouts else judged[key]
    is_best = score <= trainer.best if rollouts else score < trainer.best
    trainer.best = min(trainer.best, score)
    return is_best


def _stop_together(asked: bool, trainer: Trainer) -> bool:
    """Whether to stop after this step: if any process is to stop, all do, after the same step."""
    if parallel.count() > 1 and trainer.step % ASK_EVERY and trainer.step != trainer.optim.steps:
        return False
    return parallel.any_of(asked, trainer.device)


class _Recent:
    """The steps since the last line of the log; their losses stay on the device until they are read."""

    def __init__(self, demos: FrameSource, windows: Windows, batch_size: int, seed: int) -> None:
        self.demos, self.windows = demos, windows
        self.batch_size, self.seed = batch_size, seed
        self.told = ""  # of the last line of the log
        self._restart()

    def _restart(self) -> None:
        self.steps: list[tuple[Tensor, Tensor]] = []  # loss, norm of the gradient
        self.started, self.waited_s = time.perf_counter(), 0.0

    def add(self, loss: Tensor, norm: Tensor, waited_s: float) -> None:
        self.steps.append((loss, norm))
        self.waited_s += waited_s

    def summary(self) -> dict[str, float]:
        """Means since the last call; the next ones are counted from here."""
        losses, norms = zip(*self.steps, strict=True)
        seconds = time.perf_counter() - self.started
        means = {
            "train/loss": float(torch.stack(losses).mean()),
            "train/gradient_norm": float(torch.stack(norms).mean()),
            "speed/samples_per_s": self.batch_size * len(self.steps) / seconds,
            "speed/waiting_for_data": self.waited_s / seconds,
        }
        self.told = f"loss {means['train/loss']:.4g}"
        self._restart()
        return means

    def check_finite(self, step: int) -> None:
        """Raise `UserError` if a loss or gradient was not finite; `step` steps are done."""
        finite = torch.stack([torch.stack(numbers).isfinite().all() for numbers in self.steps])
        if finite.all():
            return
        first = step - len(self.steps) + int(finite.int().argmin())
        windows = windows_of_step(
            len(self.windows), self.batch_size, self.seed, first, self.windows.cumulative
        )
        ends = list(accumulate(self.demos.lengths))
        seen = {bisect_right(ends, self.windows.frame(window)) for window in windows.tolist()}
        names = ", ".join(self.demos.episodes[episode] for episode in sorted(seen))
        raise UserError(
            f"loss or gradient is not finite at step {first}: "
            f"lower optim.learning_rate, or look for wrong numbers in the batch's demonstrations {names}"
        )
