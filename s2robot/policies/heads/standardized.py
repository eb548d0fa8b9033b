"""Standardisation and a linear layer on big stored maps, in one pass over them.

    W ((x - mean) / deviation) + bias  =  (W / deviation) x + (bias - (W / deviation) mean)

so the maps themselves are only multiplied. They stay in float16: a few rows at a time are turned to
float32, which then lie in the cache, and backward does the same instead of keeping a float32 copy. On two
CPU cores, 64 maps of 384 x 28 x 28 into 64 channels, forward and backward: 22 ms against 103 ms
for subtract, divide, `conv2d`.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

BLOCK = 1_250_000  # numbers of a map's rows that are float32 at a time, on a CPU: 5 MB


def standardized_linear(
    linear: nn.Module,  # an nn.Linear
    mean: Float[Tensor, "c"],
    deviation: Float[Tensor, "c"],
    maps: Float[Tensor, "b c n"],
    gain: Float[Tensor, "k 1"] | None = None,
) -> Float[Tensor, "b k n"]:
    """`linear` over the channels of standardised maps, in float32, times `gain`; the maps get no gradient."""
    assert isinstance(linear, nn.Linear)
    # float16 cannot represent weights divided by small deviations, so autocast does not apply here
    with torch.autocast(maps.device.type, enabled=False):
        weight = linear.weight / deviation  # k c
        bias = linear.bias - weight @ mean  # k
        if gain is not None:
            weight, bias = gain * weight, gain[:, 0] * bias
        if torch.compiler.is_exporting():  # a graph has neither blocks of rows nor gradients
            return torch.matmul(weight, maps.float()) + bias[:, None]
        result: Tensor = _CellLinear.apply(maps, weight, bias)
    return result


class _CellLinear(torch.autograd.Function):
    """`weight @ maps + bias` of frozen maps, a block of rows at a time."""

    @staticmethod
    def forward(
        ctx: Any, maps: Float[Tensor, "b c n"], weight: Float[Tensor, "k c"], bias: Float[Tensor, "k"]
    ) -> Float[Tensor, "b k n"]:
        ctx.save_for_backward(maps)
        out = maps.new_empty(len(maps), len(weight), maps.shape[2], dtype=torch.float32)
        for rows in _blocks(maps):
            block, b = maps[rows].float(), rows.stop - rows.start
            torch.baddbmm(bias[:, None], weight.expand(b, -1, -1), block, out=out[rows])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "b k n"]) -> tuple[None, Tensor, Tensor]:
        (maps,) = ctx.saved_tensors
        weight = grad.new_zeros(grad.shape[1], maps.shape[1])
        for rows in _blocks(maps):
            weight += torch.bmm(grad[rows], maps[rows].float().transpose(1, 2)).sum(0)
        return None, weight, grad.sum((0, 2))


def _blocks(maps: Float[Tensor, "b c n"]) -> Iterator[slice]:
    """Rows that are worked on together: all of them on a GPU."""
    b, c, n = maps.shape
    size = max(1, BLOCK // (c * n)) if maps.device.type == "cpu" else b
    for start in range(0, b, size):
        yield slice(start, min(start + size, b))
