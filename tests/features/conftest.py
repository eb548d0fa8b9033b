import numpy as np
import pytest

from tests.features.frame_cases import SIDE, CountingEncoders, random_frames
from tests.one_thread import one_thread  # noqa: F401 (fixture)


@pytest.fixture
def episodes() -> dict[str, np.ndarray]:
    return {f"demo_{i}": random_frames(3 + i, seed=i) for i in range(4)}  # 3 + 4 + 5 + 6 = 18 frames


@pytest.fixture
def encoders() -> CountingEncoders:
    return CountingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")
