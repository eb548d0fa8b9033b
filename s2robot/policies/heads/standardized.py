"""Standardisation and a linear layer on big stored maps, in one pass over them.

    W ((x - mean) / deviation) + bias  =  (W / deviation) x + (bias - (W / deviation) mean)

so the maps themselves are only multiplied. They stay in float16: a few rows at a time are turned to
float32, which then lie in the cache, and backward does the same instead of keeping a float32 copy. On two
CPU cores, 64 maps of 384 x 28 x 28 into 64 channels, forward and backward: 22 ms against 103 ms
for subtract, divide, `conv2d`.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.float32 import in_float32
from s2robot.policies.heads.blocks import row_blocks


def standardized_linear(
    linear: nn.Module,  # an nn.Linear
    mean: Float[Tensor, "c"],
    deviation: Float[Tensor, "c"],
    maps: Float[Tensor, "b c n"],
    gain: Float[Tensor, "k 1"] | None = None,
    cell_by_cell: bool = False,
) -> Float[Tensor, "b k n"]:
    """`linear` over the channels of standardised maps, in float32, times `gain`; the maps get no gradient.

    `cell_by_cell`: the channels of a cell lie side by side in memory, as convolutions read them fastest.
    """
    assert isinstance(linear, nn.Linear)
    # float16 cannot represent weights divided by small deviations, so autocast does not apply here
    with in_float32(maps):
        weight = linear.weight / deviation  # k c
        bias = linear.bias - weight @ mean  # k
        if gain is not None:
            weight, bias = gain * weight, gain[:, 0] * bias
        if torch.compiler.is_exporting():  # a graph has neither blocks of rows nor gradients
            return torch.matmul(weight, maps.float()) + bias[:, None]
        result: Tensor = _CellLinear.apply(maps, weight, bias, cell_by_cell)
    return result


class _CellLinear(torch.autograd.Function):
    """`weight @ maps + bias` of frozen maps, a block of rows at a time."""

    @staticmethod
    def forward(
        ctx: Any,
        maps: Float[Tensor, "b c n"],
        weight: Float[Tensor, "k c"],
        bias: Float[Tensor, "k"],
        cell_by_cell: bool,
    ) -> Float[Tensor, "b k n"]:
        ctx.save_for_backward(maps)
        (b, _, n), k = maps.shape, len(weight)
        out = maps.new_empty((b, n, k) if cell_by_cell else (b, k, n), dtype=torch.float32)
        for rows in row_blocks(len(maps), maps[0].numel(), maps.device):
            block, weights = maps[rows].float(), weight.expand(rows.stop - rows.start, -1, -1)
            if cell_by_cell:
                torch.baddbmm(bias, block.transpose(1, 2), weights.transpose(1, 2), out=out[rows])
            else:
                torch.baddbmm(bias[:, None], weights, block, out=out[rows])
        return out.transpose(1, 2) if cell_by_cell else out

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "b k n"]) -> tuple[None, Tensor, Tensor, None]:
        (maps,) = ctx.saved_tensors
        weight = grad.new_zeros(grad.shape[1], maps.shape[1])
        for rows in row_blocks(len(maps), maps[0].numel(), maps.device):
            weight += torch.bmm(grad[rows], maps[rows].float().transpose(1, 2)).sum(0)
        return None, weight, grad.sum((0, 2)), None
