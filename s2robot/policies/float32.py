"""What half precision (`optim.precision`) is kept away from: coordinates, and what reads them.

bfloat16 has 8 bits for a number's digits: of a keypoint at 0.6 of a camera's half-width it keeps a
five-hundredth, which is a millimetre where the camera sees half a metre. The maps that a keypoint is found in
may be rounded; each of their errors is averaged with hundreds of others.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor


def in_float32(like: Tensor) -> AbstractContextManager[Any]:
    """A context without autocast on the device of `like`; what was computed before needs `.float()`."""
    return torch.autocast(like.device.type, enabled=False)
