"""How much of a larger encoder's features those of a smaller one hold, from one scale and from several.

"When Do We Not Need Larger Vision Models?", arXiv 2403.13043, Table 2: a map from the smaller encoder's
features to the larger one's is fitted cell by cell. Here it is a linear one and a small non-linear one, and
both are judged on episodes that they were not fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.datasets.dataset import Dataset
from s2robot.encoders import ENCODERS
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError
from s2robot.features.builder import build
from s2robot.features.options import FeaturesConfig
from s2robot.features.table import FeatureTable

RIDGE = 1e-4  # a cell, of standardised features: only so that dead channels can be solved for
WIDTH, BATCH, LEARNING_RATE = 256, 1024, 2e-3  # of the small non-linear map


@dataclass(frozen=True)
class Recovered:
    """How well a map gives the larger encoder's features on episodes that it was not fitted on."""

    loss: float  # mean squared error, every channel standardised
    ratio: float  # share of what the mean alone leaves unexplained: 1 is all, 0 or less is nothing


@dataclass(frozen=True)
class Cells:
    """Features of the same cells of the same frames, of the smaller and of the larger encoder."""

    small: Float[Tensor, "n c"]
    large: Float[Tensor, "n k"]


@dataclass(frozen=True)
class Pair:
    """A smaller encoder at some scales, and the larger one that it is to stand for, on one camera."""

    small: str
    sizes: Sequence[int]
    large: str
    large_size: int | None = None  # side in pixels of its one scale and of its tile; None: as it was trained
    backend: str = EncoderConfig.backend


def reconstruct(
    demos: Dataset,
    camera: str,
    pair: Pair,
    episodes: tuple[Sequence[int], Sequence[int]],
    config: FeaturesConfig | None = None,
    steps: int = 1000,
    seed: int = 0,
) -> dict[str, Recovered]:
    """The maps "linear" and "mlp", fitted on the first episodes (indices) and judged on the second.

    Features come from the feature store, which is filled where they are missing. Both encoders' maps are
    pooled to the smaller one's grid. `steps` and `seed` are those of the non-linear map's training. Raises
    `UserError` without episodes to fit on or to judge by, and for frames that an encoder cannot take.
    """
    fitted, judged = episodes
    if not (fitted and judged):
        raise UserError("a map is fitted on some episodes and judged on others: the data need two or more")
    small = CameraEncoders(pair.small, pair.sizes, backend=pair.backend)
    _, gh, gw = small.feature_shape(camera, demos.image_size(camera))
    size = pair.large_size or ENCODERS[pair.large].untrained().spec.tile
    large = CameraEncoders(
        pair.large, [size], output_grid=[gh, gw], tile=pair.large_size, backend=pair.backend
    )
    wanted = sorted({*fitted, *judged})
    tables = [build(demos, camera, encoders, config, False, wanted) for encoders in (small, large)]
    to_fit, to_judge = (
        Cells(*(_cells(table, demos.frames_of(chosen)) for table in tables)) for chosen in episodes
    )
    return recover(to_fit, to_judge, steps, seed)


def recover(fitted: Cells, judged: Cells, steps: int = 1000, seed: int = 0) -> dict[str, Recovered]:
    """Fit the two maps on some cells, and judge them on others."""
    x, y = Standard(fitted.small), Standard(fitted.large)
    fit, judge = (Cells(x(cells.small), y(cells.large)) for cells in (fitted, judged))
    nothing = float(judge.large.square().mean())  # the loss of the fitted cells' mean
    predicted = {"linear": judge.small @ linear_map(fit)}
    network = small_network(fit, steps, seed)
    with torch.no_grad():
        predicted["mlp"] = predicted["linear"] + network(judge.small)
    losses = {name: float((found - judge.large).square().mean()) for name, found in predicted.items()}
    return {name: Recovered(loss, 1 - loss / nothing) for name, loss in losses.items()}


class Standard:
    """Channels with mean 0 and deviation 1 over the given cells; those that never change become 0."""

    def __init__(self, values: Float[Tensor, "n c"]) -> None:
        self.mean, deviation = values.mean(0), values.std(0, correction=0)
        self.scale = torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 0.0)

    def __call__(self, values: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        return (values - self.mean) * self.scale


def linear_map(cells: Cells) -> Float[Tensor, "c k"]:
    """Least squares of standardised features, in closed form."""
    x, y = cells.small.double(), cells.large.double()
    ridge = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(x.T @ x + ridge, x.T @ y).float()


def small_network(cells: Cells, steps: int, seed: int) -> nn.Module:
    """One hidden layer, trained on what the linear map leaves: it begins where that ends."""
    generator = torch.Generator().manual_seed(seed)
    rest = cells.large - cells.small @ linear_map(cells)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(cells.small.shape[1], WIDTH), nn.GELU(), nn.Linear(WIDTH, rest.shape[1])
        )
    for parameter in network[2].parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        rows = torch.randint(len(rest), (min(BATCH, len(rest)),), generator=generator)
        optimizer.zero_grad()
        (network(cells.small[rows]) - rest[rows]).square().mean().backward()
        optimizer.step()
        schedule.step()
    return network


def _cells(table: FeatureTable, frames: np.ndarray) -> Float[Tensor, "n c"]:
    """Every cell of the maps of these frames."""
    maps = table.gather(torch.from_numpy(frames)[:, None]).map[:, 0]  # m c gh gw
    return maps.float().permute(0, 2, 3, 1).flatten(0, 2)
