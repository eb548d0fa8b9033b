"""A training step, from the windows' numbers to the averaged weights, in two forms that compute the same.

`EagerStep` hands the device one operation after another. `StaticStep` (`static.py`) does everything in memory
that stays where it is, so that a GPU can record the operations once and replay them all with one call: a
step of a small network is otherwise spent on handing over its hundreds of operations.
"""

import time
from typing import Protocol, runtime_checkable

from torch import Tensor

from s2robot import parallel
from s2robot.datasets.windows import Windows
from s2robot.errors import UserError
from s2robot.training.batches import batches
from s2robot.training.static import StaticStep
from s2robot.training.trainer import Trainer


@runtime_checkable
class Step(Protocol):
    """Takes training steps one after another; what is random in a step is drawn from the global state."""

    waited_s: float  # how long the latest step waited for its batch

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Loss and norm of the gradient of step `step`, on the device: reading them would wait for it."""


def make_step(trainer: Trainer, windows: Windows, seed: int, steps: range) -> Step:
    """What takes these steps, as `optim.graph` says; `auto` prints a line where a GPU replays no graph.

    Raises `UserError` for `optim.graph=always` where there can be none.
    """
    graph, reason = trainer.optim.graph, why_no_graph(trainer)
    if graph == "always" and reason:
        raise UserError(f"optim.graph=always is not possible: {reason}; use optim.graph=auto")
    if graph == "never" or reason:
        if graph == "auto" and trainer.device.type == "cuda" and parallel.is_main():
            print(f"steps are not replayed as a graph: {reason}")
        return EagerStep(trainer, windows, seed, steps)
    return StaticStep(trainer, windows, seed, steps)


def why_no_graph(trainer: Trainer) -> str:
    """Why steps cannot be replayed as a graph; "" if they can be, as far as is known beforehand."""
    if trainer.device.type != "cuda":
        return f"it needs a CUDA GPU, and the device is {trainer.device}"
    if parallel.count() > 1:
        return "several processes join their gradients"
    if trainer.optim.precision == "fp16":
        return "optim.precision=fp16 leaves steps out that overflow"
    return ""


class EagerStep:
    """Operation after operation, with batches that are prepared meanwhile."""

    def __init__(self, trainer: Trainer, windows: Windows, seed: int, steps: range) -> None:
        self.trainer, self.waited_s = trainer, 0.0
        self._batches = batches(windows, trainer.optim.batch_size, seed, steps, trainer.device)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        asked = time.perf_counter()
        batch = next(self._batches)
        self.waited_s = time.perf_counter() - asked
        return self.trainer.update(self.trainer.loss(batch))
