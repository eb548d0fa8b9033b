import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from frame_cases import SIDE, CountingEncoders, random_frames

from s2robot.threads import torch_threads

sys.path.append(str(Path(__file__).parents[1]))  # tiny_vit


@pytest.fixture
def episodes() -> dict[str, np.ndarray]:
    return {f"demo_{i}": random_frames(3 + i, seed=i) for i in range(4)}  # 3 + 4 + 5 + 6 = 18 frames


@pytest.fixture
def encoders() -> CountingEncoders:
    return CountingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These inputs are too small to share among threads, which would only wait for one another."""
    with torch_threads(1):
        yield
