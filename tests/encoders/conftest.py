from collections.abc import Iterator

import pytest

from s2robot.threads import torch_threads


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These inputs are too small to share among threads, which would only wait for one another."""
    with torch_threads(1):
        yield
