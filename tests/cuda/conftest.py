"""Everything here needs a CUDA GPU; without one it is skipped, and pytest says so."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU, and PyTorch sees none: what only a GPU does was not tested")
