"""The order in which windows are trained on, and their batches, prepared ahead of the step."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s2robot import parallel
from s2robot.datasets.windows import Windows
from s2robot.features import FeatureTable
from s2robot.processes.cores import usable_cores
from s2robot.seeding import mixed_seed
from s2robot.types import Batch

MOST_THREADS = 8  # that gather batches for a GPU
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


def gathered_on(tables: Iterable[FeatureTable], device: torch.device) -> torch.device:
    """Where batches are put together: on the device if all features are there, and else in RAM.

    Indices on a GPU into features in RAM would wait for the GPU at every batch.
    """
    there = all(table.device.type == device.type for table in tables)
    return device if there else torch.device("cpu")


def batches(
    windows: Windows, batch_size: int, seed: int, steps: range, device: torch.device
) -> Iterator[Batch]:
    """The batch of each step, on `device`: this process's share of `batch_size` windows.

    What the next one needs is on its way meanwhile.

    On a CPU the system reads the next rows from the disk ahead, and batches are copied between the
    steps: a thread of their own would take a core from the training and cost more than it hides. For a
    GPU threads gather the next ones into page-locked memory while this one is trained on.
    """
    if device.type == "cpu":
        for step in steps:
            batch = windows.batch(*order_of_step(windows, batch_size, seed, step))
            if step + 1 in steps:
                windows.read_ahead(*order_of_step(windows, batch_size, seed, step + 1))
            yield batch
        return
    for batch, copied in _gathered_ahead(windows, batch_size, seed, steps, Copies(device)):
        copied()
        yield batch


def _gathered_ahead(
    windows: Windows, batch_size: int, seed: int, steps: range, copies: "Copies"
) -> Iterator[tuple[Batch, Callable[[], None]]]:
    """Each step's batch as `copies` moved it, some steps ahead of the one that is trained on."""

    def gather(step: int) -> tuple[Batch, Callable[[], None]]:
        return copies.move(windows.batch(*order_of_step(windows, batch_size, seed, step)))

    # one copies rows slower than a GPU takes its steps
    threads = max(1, min(MOST_THREADS, usable_cores() // 2))
    with ThreadPoolExecutor(threads, thread_name_prefix="gather") as pool:
        ahead = deque(pool.submit(gather, step) for step in steps[: threads + 1])
        for step in steps:
            if step + threads + 1 in steps:
                ahead.append(pool.submit(gather, step + threads + 1))
            yield ahead.popleft().result()


class Copies:
    """Moves batches to a GPU on a stream of their own, beside the steps."""

    def __init__(self, device: torch.device) -> None:
        self.device, self._stream = device, torch.cuda.Stream(device)

    def move(self, batch: Batch) -> tuple[Batch, Callable[[], None]]:
        """The batch on the GPU, and what makes the caller's stream wait until it is there."""
        if all(values.is_cuda for values in batch.tensors()):
            return batch, lambda: None
        with torch.cuda.stream(self._stream):
            moved = batch.pin_memory().to(self.device)
            done = self._stream.record_event()

        def arrive() -> None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(done)
            for values in moved.tensors():
                values.record_stream(stream)  # its memory is used again only when the step is over

        return moved, arrive
