"""Several processes train one policy: a copy each, a share of every batch each, one gradient.

    torchrun --nproc-per-node 4 -m s2robot train ...    four GPUs of one machine
    torchrun --nnodes 2 --rdzv-... -m s2robot train ...    the same command on each of two machines
    accelerate launch --num-processes 4 -m s2robot train ...

A process started by neither is alone, and everything here does nothing then. accelerate finds out who the
others are and how to talk to them (NCCL between GPUs, gloo between CPUs). `optim.batch_size` is that of all
processes together, so a training means the same on one GPU and on eight.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor

from s2robot.device import choose_device

WAIT = timedelta(hours=12)  # for the main process, which may be encoding a dataset or rolling out

Size = TypeVar("Size", int, Tensor)
_joint_loss: ContextVar[bool] = ContextVar("joint_loss", default=False)


def join(device: str) -> torch.device:
    """Join the processes that were started together; the device of this one.

    Raises `UserError` for a device that is not there.
    """
    chosen = choose_device(device)
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return chosen
    from accelerate import PartialState

    return PartialState(cpu=chosen.type == "cpu", timeout=WAIT).device


def count() -> int:
    """How many processes train together."""
    return torch.distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Which one this is."""
    return torch.distributed.get_rank() if _together() else 0


def is_main() -> bool:
    """Whether this is the process that writes: checkpoints, logs, what is printed."""
    return rank() == 0


def share(rows: Tensor) -> Tensor:
    """This process's part of what all of them know."""
    return rows.tensor_split(count())[rank()]


def mean(values: Tensor) -> Tensor:
    """The mean over all processes, the same in each."""
    return _reduced(values, "mean")


def total(values: Tensor) -> Tensor:
    """The sum over all processes, the same in each."""
    return _reduced(values, "sum")


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether it is true in any process."""
    return bool(total(torch.tensor(float(flag), device=device))) if _together() else flag


def wait() -> None:
    """Return when all processes are here."""
    if _together():
        torch.distributed.barrier()


@contextmanager
def main_first() -> Iterator[None]:
    """The first process of each machine goes through what is inside before its others do."""
    if not _together():
        yield
        return
    from accelerate import PartialState

    with PartialState().local_main_process_first():
        yield


@contextmanager
def joint_loss() -> Iterator[None]:
    """Inside, `mean_size` counts over all processes: the mean of their losses is that of the joint batch."""
    token = _joint_loss.set(_together())
    try:
        yield
    finally:
        _joint_loss.reset(token)


def mean_size(size: Size) -> Size | Tensor:
    """What a loss divides its sum by: `size`, or its mean over all processes inside `joint_loss`.

    A mean over a mask in each process is not the mean over both: their masks have different sizes.
    """
    if not _joint_loss.get():
        return size
    local = size if isinstance(size, Tensor) else torch.tensor(size, device=_own_device())
    return mean(local.detach().float())


def _together() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _reduced(values: Tensor, how: str) -> Tensor:
    if not _together():
        return values
    from accelerate.utils import reduce

    return reduce(values.clone(), reduction=how)


def _own_device() -> torch.device:
    from accelerate import PartialState

    return PartialState().device
