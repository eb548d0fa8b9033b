"""The order in which windows are trained on, and their batches, prepared one ahead of the step."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s2robot import parallel
from s2robot.datasets.windows import Windows
from s2robot.seeding import mixed_seed
from s2robot.types import Batch

VIEWS, DRAWN = 1, 2  # set the seeds of views and of weighted windows apart from others of the same step


def windows_of_step(
    count: int, batch_size: int, seed: int, step: int, cumulative: Float[Tensor, "w"] | None = None
) -> Int[Tensor, "b"]:
    """The windows of training step `step`: a function of its arguments, so resuming needs no state.

    Batches are cut from an endless row of shuffles of all windows; none is seen again before every
    other one was seen. Where windows have weights (`cumulative`: their running sum), each is drawn by them
    from all.
    """
    if cumulative is not None:
        generator = torch.Generator().manual_seed(mixed_seed(seed, step, DRAWN))
        drawn = torch.rand(batch_size, generator=generator, dtype=torch.float64) * cumulative[-1]
        return torch.searchsorted(cumulative, drawn, right=True).clamp(max=count - 1)
    position = torch.arange(step * batch_size, (step + 1) * batch_size)
    epoch, place = position // count, position % count
    parts = [_shuffle(count, seed, e)[place[epoch == e]] for e in epoch.unique().tolist()]
    return torch.cat(parts)


def views_of_step(count: int, batch_size: int, seed: int, step: int) -> Int[Tensor, "b"]:
    """Which of `count` views each sample of training step `step` is seen in: a function of its arguments."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, step, VIEWS))
    return torch.randint(count, (batch_size,), generator=generator)


def order_of_step(
    windows: Windows, batch_size: int, seed: int, step: int
) -> tuple[Int[Tensor, "b"], Int[Tensor, "b"]]:
    """This process's share of a step's windows, and the view that each is seen in."""
    chosen = windows_of_step(len(windows), batch_size, seed, step, windows.cumulative)
    return parallel.share(chosen), parallel.share(views_of_step(windows.views, batch_size, seed, step))


@lru_cache(maxsize=2)
def _shuffle(count: int, seed: int, epoch: int) -> Int[Tensor, "count"]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(mixed_seed(seed, epoch)))


def batches(
    windows: Windows, batch_size: int, seed: int, steps: range, device: torch.device
) -> Iterator[Batch]:
    """The batch of each step, on `device`: this process's share of `batch_size` windows.

    What the next one needs is on its way meanwhile.

    On a CPU the system reads the next rows from the disk ahead, and batches are copied between the
    steps: a thread of their own would take a core from the training and cost more than it hides. For a
    GPU a thread gathers the next batch into page-locked memory while this one is trained on.
    """

    def order(step: int) -> tuple[Int[Tensor, "b"], Int[Tensor, "b"]]:
        return order_of_step(windows, batch_size, seed, step)

    if device.type == "cpu":
        for step in steps:
            batch = windows.batch(*order(step))
            if step + 1 in steps:
                windows.read_ahead(*order(step + 1))
            yield batch
        return

    def gather(step: int) -> Batch:
        batch = windows.batch(*order(step))
        return (batch.pin_memory() if batch.actions.device.type == "cpu" else batch).to(device)

    with ThreadPoolExecutor(1, thread_name_prefix="gather") as thread:
        ahead = [thread.submit(gather, step) for step in steps[:1]]
        for step in steps:
            batch = ahead.pop().result()
            if step + 1 in steps:
                ahead.append(thread.submit(gather, step + 1))
            yield batch
