"""The form of a training step that a GPU can record as a CUDA graph and replay.

Everything that changes from step to step lies in tensors that stay where they are and are written before the
step: the numbers of its windows and views (or, where features are not on the device, the batch), the
learning rate, the decay of the averaged weights. Random numbers follow from the global state, which the loop
seeds for each step: a replay reads the seed anew, and draws what an eager step draws.

The first steps are taken as they are, since libraries choose and allocate then. Without a graph the
same steps can be taken on any device, which is how they are tested.
"""

import time

import torch
from torch import Tensor

from s2robot.datasets.windows import Windows
from s2robot.device import Graph, GraphError
from s2robot.errors import UserError
from s2robot.training.batches import batches, order_of_step
from s2robot.training.trainer import Trainer
from s2robot.types import Batch


class StaticStep:
    """See `s2robot.training.step.Step`; without `graph` every step is taken as the first ones are."""

    def __init__(
        self, trainer: Trainer, windows: Windows, seed: int, steps: range, graph: bool = True
    ) -> None:
        self.trainer, self.windows, self.seed = trainer, windows, seed
        self.waited_s = 0.0
        size, device = trainer.optim.batch_size, trainer.device
        self._order = torch.zeros(2, size, dtype=torch.long, device=device)  # windows, their views
        self._keep = torch.zeros((), device=device)  # 1 - decay of the averaged weights
        self._outcome = torch.zeros(2, device=device)  # loss, norm of the gradient
        example = windows.batch(*order_of_step(windows, 1, seed, 0))
        self._gathers = all(values.device.type == device.type for values in example.tensors())
        self._batches = batches(windows, size, seed, steps, device)  # used where features are elsewhere
        self._batch: Batch | None = None
        if device.type == "cuda":
            for group in trainer.optimizer.param_groups:
                group["capturable"] = True
            trainer.optimizer._warned_capturable_if_run_uncaptured = True  # the first steps do, on purpose
        self._graph = Graph(self._compute, device) if graph else None

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        trainer = self.trainer
        self._load(step)
        trainer.schedule()
        self._keep.fill_(1 - trainer.ema.get_decay(trainer.step + 1))
        self._run()
        trainer.step += 1
        trainer.ema.optimization_step = trainer.step
        loss, norm = self._outcome.clone()
        return loss, norm

    @property
    def replays(self) -> bool:
        """Whether the steps are recorded and replayed."""
        return self._graph is not None

    def _load(self, step: int) -> None:
        """Write what decides the step's batch, or the batch itself, to where the step reads it."""
        asked = time.perf_counter()
        if self._gathers:
            order = torch.stack(order_of_step(self.windows, self._order.shape[1], self.seed, step))
            staged = order.pin_memory() if self._order.is_cuda else order
            self._order.copy_(staged, non_blocking=True)
        else:
            batch = next(self._batches)
            self._batch = self._batch or batch.copied()
            for own, values in zip(self._batch.tensors(), batch.tensors(), strict=True):
                own.copy_(values, non_blocking=True)
        self.waited_s = time.perf_counter() - asked

    def _run(self) -> None:
        if self._graph is not None:
            try:
                self._graph()
                return
            except GraphError as error:
                self._give_up(error)
        self._compute()

    def _give_up(self, error: GraphError) -> None:
        """No graph from here on: one line, or `UserError` where the user wants no step without."""
        self._graph = None
        reason = f"the step of {self.trainer.policy.config.name} cannot be recorded: {error}"
        if self.trainer.optim.graph == "always":
            raise UserError(f"optim.graph=always is not possible: {reason}; use optim.graph=auto") from error
        print(f"steps are not replayed as a graph: {reason}")

    def _compute(self) -> None:
        """The step, from the batch on: nothing in it may wait for the device or depend on numbers in it."""
        batch = self._batch or self.windows.batch(*self._order)
        loss, norm = self.trainer.descend(self.trainer.loss(batch))
        averages, weights = self.trainer.ema.shadow_params, list(self.trainer.parameters.values())
        differences = torch._foreach_sub(averages, [weight.detach() for weight in weights])
        torch._foreach_mul_(differences, self._keep)
        torch._foreach_sub_(averages, differences)
        self._outcome.copy_(torch.stack([loss.float(), norm.float()]))
