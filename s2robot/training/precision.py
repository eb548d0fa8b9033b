"""Whether half precision (`optim.precision`) pays here: many processors only emulate it."""

import time

import torch

from s2robot.training.options import PRECISIONS

SIZE, REPEATS = 256, 3  # of the matrix products that are timed
SLOWER = 1.5  # times as long; emulated it is 100, with instructions a half


def why_slow(precision: str, device: torch.device) -> str:
    """In one line, that this CPU computes slower in `precision` than in fp32; "" otherwise, or on a GPU."""
    name = PRECISIONS[precision]
    if name is None or device.type != "cpu":
        return ""
    ratio = _product_s(getattr(torch, name)) / _product_s(torch.float32)
    if ratio < SLOWER:
        return ""
    return (
        f"optim.precision={precision} is slower than fp32 on this CPU, which emulates {name}: "
        f"a matrix product takes {ratio:.3g} times as long; stop and say optim.precision=fp32"
    )


def _product_s(dtype: torch.dtype) -> float:
    """Seconds of a matrix product, the fastest of some."""
    matrix = torch.ones(SIZE, SIZE, dtype=dtype)
    seconds = list[float]()
    for _ in range(1 + REPEATS):  # the first allocates
        started = time.perf_counter()
        torch.matmul(matrix, matrix)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])
