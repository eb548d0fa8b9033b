"""How many threads PyTorch uses for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
