"""Where the cells of a grid are."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

OCTAVES = 4  # of the embedding's wavelengths: from the whole image down to an eighth of it


def cell_centres(grid: tuple[int, int]) -> Float[Tensor, "n 2"]:
    """(x, y) of each cell of a grid that covers [-1, 1], row by row."""
    y, x = torch.meshgrid(_centres(grid[0]), _centres(grid[1]), indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def position_features(grid: tuple[int, int]) -> Float[Tensor, "n f"]:
    """Each cell's coordinates, and their sines and cosines at `OCTAVES` octaves: what a linear layer makes an
    embedding of (2-D version of "Attention Is All You Need", section 3.5)."""
    centres = cell_centres(grid)  # n 2
    angles = centres[..., None] * math.pi * 2.0 ** torch.arange(OCTAVES)  # n 2 o
    return torch.cat([centres, angles.sin().flatten(1), angles.cos().flatten(1)], dim=1)


POSITION_FEATURES = 2 + 4 * OCTAVES


def _centres(cells: int) -> Float[Tensor, "cells"]:
    """Centres of equal cells that cover [-1, 1]."""
    return (torch.arange(cells) + 0.5) * 2 / cells - 1
