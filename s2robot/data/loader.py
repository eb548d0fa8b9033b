"""The order in which windows are trained on, and batches gathered one ahead of the step."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from jaxtyping import Int
from torch import Tensor

from s2robot.data.windows import Windows
from s2robot.seeding import mixed_seed
from s2robot.types import Batch


def windows_of_step(count: int, batch_size: int, seed: int, step: int) -> Int[Tensor, "b"]:
    """The windows of training step `step`: a function of its arguments, so resuming needs no state.

    Batches are cut from an endless row of shuffles of all windows; none is seen again before every
    other one was seen.
    """
    position = torch.arange(step * batch_size, (step + 1) * batch_size)
    epoch, place = position // count, position % count
    parts = [_shuffle(count, seed, e)[place[epoch == e]] for e in epoch.unique().tolist()]
    return torch.cat(parts)


@lru_cache(maxsize=2)
def _shuffle(count: int, seed: int, epoch: int) -> Int[Tensor, "count"]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(mixed_seed(seed, epoch)))


def batches(
    windows: Windows, batch_size: int, seed: int, steps: range, device: torch.device
) -> Iterator[Batch]:
    """The batch of each step, on `device`; the next one is gathered while this one is trained on."""

    def gather(step: int) -> Batch:
        batch = windows.batch(windows_of_step(len(windows), batch_size, seed, step))
        if device.type == "cuda" and batch.actions.device.type == "cpu":
            batch = batch.pin_memory()
        return batch.to(device)

    with ThreadPoolExecutor(1, thread_name_prefix="gather") as thread:
        ahead = thread.submit(gather, steps[0]) if steps else None
        for step in steps:
            assert ahead is not None
            batch = ahead.result()
            ahead = thread.submit(gather, step + 1) if step + 1 in steps else None
            yield batch
