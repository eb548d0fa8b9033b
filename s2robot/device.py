"""Which device to compute on, and with how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from s2robot.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one, else the CPU; other names are torch's."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _unknown(name) from error
    if device.type not in ("cpu", "cuda"):
        raise _unknown(name)
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        there = f"only cuda:0 to cuda:{count - 1}" if count else "no CUDA GPU"
        raise UserError(f"device {name!r}: torch finds {there}; use device=auto")
    return device


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given; what is timed without it is only the launch."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _unknown(name: str) -> UserError:
    return UserError(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:1, ...")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Use `count` CPU threads inside PyTorch's operations meanwhile.

    For small operations beside another engine: PyTorch's idle OpenMP threads keep spinning for a while
    after every parallel operation and take the cores that the other engine needs. Not for use while
    other threads of this process compute with PyTorch, whose libraries share the setting.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
