"""A fixture for rooms whose inputs are so small that threads would only wait for one another."""

from collections.abc import Iterator

import pytest

from s2robot.device import torch_threads


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield
