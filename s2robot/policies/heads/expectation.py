"""Keypoints of a hidden layer, in one pass over its cells.

    p = softmax over the cells n of (relu(hidden) W^T + bias),    place = sum over n of p_n grid_n

Between the layer and the 2 numbers of a keypoint lie several arrays as large as the layer. A few rows at a
time they stay in the cache, forward and backward, and backward needs neither scores nor a matrix of the
softmax: with the gradient g of a place, that of a score is p_n (grid_n - place) g.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.float32 import in_float32
from s2robot.policies.heads.blocks import row_blocks


def expected_places(
    hidden: Float[Tensor, "b h n"],
    weight: Float[Tensor, "k h"],
    bias: Float[Tensor, "k"],
    grid: Float[Tensor, "n 2"],
) -> Float[Tensor, "b k 2"]:
    """Places of keypoints that are scored by a linear layer after a ReLU, in float32."""
    with in_float32(hidden):
        if torch.compiler.is_exporting():  # a graph has neither blocks of rows nor gradients
            return distribution(hidden, weight, bias) @ grid
        places: Tensor = _ExpectedPlaces.apply(hidden, weight, bias, grid)
    return places


def distribution(
    hidden: Float[Tensor, "b h n"], weight: Float[Tensor, "k h"], bias: Float[Tensor, "k"]
) -> Float[Tensor, "b k n"]:
    """What `expected_places` weighs the grid with."""
    with in_float32(hidden):
        return (torch.matmul(weight, hidden.float().relu()) + bias[:, None]).softmax(dim=-1)


class _ExpectedPlaces(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Float[Tensor, "b h n"],
        weight: Float[Tensor, "k h"],
        bias: Float[Tensor, "k"],
        grid: Float[Tensor, "n 2"],
    ) -> Float[Tensor, "b k 2"]:
        (b, _, n), k = hidden.shape, len(weight)
        weights, places = weight.new_empty(b, n, k), weight.new_empty(b, k, 2)
        for rows in row_blocks(b, n * k, hidden.device):
            cells = hidden[rows].transpose(1, 2).float().relu()  # r n h
            scores = torch.matmul(cells, weight.T).add_(bias)
            torch.softmax(scores, dim=1, out=weights[rows])
            torch.matmul(weights[rows].transpose(1, 2), grid, out=places[rows])
        ctx.save_for_backward(hidden, weight, grid, weights, places)
        return places

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "b k 2"]) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden, weight, grid, weights, places = ctx.saved_tensors
        b, n, k = weights.shape
        along = (places * grad).sum(-1)[:, None]  # b 1 k
        grad_hidden = torch.empty_like(hidden)  # keeps the layout
        grad_weight, grad_bias = torch.zeros_like(weight), weight.new_zeros(k)
        for rows in row_blocks(b, n * k, hidden.device):
            scores = (
                torch.matmul(grid, grad[rows].transpose(1, 2)).sub_(along[rows]).mul_(weights[rows])
            )  # r n k
            cells = hidden[rows].transpose(1, 2).float().relu()
            grad_weight.addmm_(scores.flatten(0, 1).T, cells.flatten(0, 1))
            grad_bias += scores.sum((0, 1))
            grad_hidden[rows] = (torch.matmul(scores, weight) * (cells > 0)).transpose(1, 2)
        return grad_hidden, grad_weight, grad_bias, None
