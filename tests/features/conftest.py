from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.encoders import make_encoder
from s2robot.features.store import FeatureStore
from tests.features.frame_cases import SIDE, CountingEncoders, random_frames
from tests.features.tiny_store import ROW_BYTES, SHAPE, MakeStore
from tests.one_thread import one_thread  # noqa: F401 (fixture)


@pytest.fixture
def episodes() -> dict[str, np.ndarray]:
    return {f"demo_{i}": random_frames(3 + i, seed=i) for i in range(4)}  # 3 + 4 + 5 + 6 = 18 frames


@pytest.fixture
def encoders() -> CountingEncoders:
    return CountingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")


@pytest.fixture
def rows() -> np.ndarray:
    """Of six frames."""
    return torch.randn(6, ROW_BYTES // 2, generator=torch.Generator().manual_seed(0)).half().numpy()


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    spec = make_encoder("lite0", sizes=(32,), backend="torch", device="cpu").spec
    return lambda **options: FeatureStore(spec, SHAPE, **{"root": tmp_path} | options)
