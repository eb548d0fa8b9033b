"""PyTorch on a GPU, its launches recorded: a CUDA graph for each shape of a batch."""

import logging
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.device import Graph, GraphError
from s2robot.encoders.backends.base import Build
from s2robot.encoders.backends.eager import TorchBackend
from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.types import Features

log = logging.getLogger(__name__)

MOST_SHAPES = 4  # each keeps the memory of its activations; batches of other shapes run as they are


class Recorded:
    """A function of a tensor that is replayed: what it reads and gives stays where it is."""

    def __init__(self, function: Callable[[Tensor], tuple[Tensor, ...]], example: Tensor) -> None:
        self._function, self._given = function, example.clone()
        self._outs: tuple[Tensor, ...] = ()
        self._graph = Graph(self._compute, example.device)

    def __call__(self, given: Tensor) -> tuple[Tensor, ...]:
        self._given.copy_(given)
        self._graph()
        return tuple(out.clone() for out in self._outs)

    def _compute(self) -> None:
        self._outs = self._function(self._given)


class GraphBackend(TorchBackend):
    """Eager PyTorch whose work is replayed with one call once a shape has been seen a few times."""

    name = "graph"

    def __init__(self, spec: EncoderSpec, build: Build, device: torch.device) -> None:
        super().__init__(spec, build, device)
        if device.type != "cuda":
            raise UserError(
                f"backend 'graph' needs a CUDA GPU, and device is {str(device)!r}; use backend=torch"
            )
        self._recorded: dict[torch.Size, Recorded] = {}
        self._most_shapes = MOST_SHAPES

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        with torch.cuda.device(self.device):
            return super().map(batches)

    def _fitting(self) -> int:
        fitting = super()._fitting()
        self.forget()  # the tiles that it was measured with
        return fitting

    def forget(self) -> None:
        self._recorded.clear()

    def _call(self, tiles: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        if tiles.shape not in self._recorded and len(self._recorded) < self._most_shapes:
            self._recorded[tiles.shape] = Recorded(super()._call, tiles)
        recorded = self._recorded.get(tiles.shape)
        if recorded is None:
            return super()._call(tiles)
        try:
            return recorded(tiles)
        except GraphError as error:
            log.warning("encoder %r is not replayed as a graph: %s", self.spec.name, error)
            self._recorded, self._most_shapes = {}, 0
        return super()._call(tiles)
