"""PyTorch, as it is or compiled: runs on every device."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.backends.base import Backend, Build, equal_parts, frozen
from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.types import Features

MOST_TILES = 256  # more make no GPU faster
MEMORY_SHARE = 0.5  # of a GPU's free memory; the rest is for frames, maps and other programs
PROBE_TILES = 8


class TorchBackend(Backend):
    """Eager PyTorch, channels last; autocast where the spec's precision is a half one."""

    name = "torch"

    def __init__(self, spec: EncoderSpec, build: Build, device: torch.device) -> None:
        self.spec, self.build, self.device = spec, build, device
        self._max_tiles: int | None = None
        self.plans_shapes = device.type == "cuda"

    @property
    def max_tiles(self) -> int:
        if self._max_tiles is None:
            # on a CPU, batches whose activations stay below the allocator's limit of 32 MB are the fastest
            self._max_tiles = self._fitting() if self.device.type == "cuda" else 6
        return self._max_tiles

    @max_tiles.setter
    def max_tiles(self, count: int) -> None:
        self._max_tiles = count

    @cached_property
    def network(self) -> Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]:
        keep_freed_memory()
        return self._make()

    def beside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        return [self._run(tiles) for tiles in batches]

    def _make(self) -> nn.Module:
        network = frozen(self.build(), self.spec)
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _fitting(self) -> int:
        """How many tiles fit on the GPU, by the memory that a few take."""
        tiles = torch.zeros(PROBE_TILES, 3, self.spec.tile, self.spec.tile, device=self.device)
        self._max_tiles = PROBE_TILES
        self.within_memory(lambda: self._run(tiles))  # the weights are there, and libraries have chosen
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        self.within_memory(lambda: self._run(tiles))
        tile_bytes = (torch.cuda.max_memory_allocated(self.device) - before) // PROBE_TILES
        return tiles_within(torch.cuda.mem_get_info(self.device)[0], tile_bytes)

    def _run(self, tiles: Float[Tensor, "n 3 h w"]) -> Features:
        half = self.spec.precision != "float32"
        autocast = torch.autocast(self.device.type, getattr(torch, self.spec.precision), enabled=half)
        # TF32 would be a thousandth off although float32 was chosen
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=half)
        with torch.no_grad(), autocast, exact:
            parts = [self._call(part) for part in tiles.split(equal_parts(len(tiles), self.max_tiles))]
        return Features(*(torch.cat(outs).float() for outs in zip(*parts, strict=True)))

    def _call(self, tiles: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        out = self.network(tiles.contiguous(memory_format=torch.channels_last))
        return out if isinstance(out, tuple) else (out,)


def tiles_within(free: int, tile_bytes: int) -> int:
    """The power of two of tiles, at most `MOST_TILES`, that take their share of `free` bytes or less."""
    count = int(free * MEMORY_SHARE) // max(tile_bytes, 1)
    return min(MOST_TILES, 1 << max(count.bit_length() - 1, 0))


class CompiledBackend(TorchBackend):
    """`torch.compile`, on a CPU with the weights frozen into the code.

    Compiling takes a minute for each size of tile, so it is for long builds. Every batch is filled up to
    `max_tiles` with tiles that are dropped again: another size would be compiled anew.
    """

    name = "compile"

    def __init__(self, spec: EncoderSpec, build: Build, device: torch.device) -> None:
        super().__init__(spec, build, device)
        if device.type == "cuda":
            self.max_tiles = 64
        compiler = os.environ.get("CXX", "g++")
        if device.type == "cpu" and shutil.which(compiler) is None:
            raise UserError(
                f"backend 'compile' needs a C++ compiler and {compiler!r} is not here; use backend=torch"
            )

    def _make(self) -> nn.Module:
        frozen_weights: dict[str, Any] = {"freezing": True} if self.device.type == "cpu" else {}
        return cast(nn.Module, torch.compile(super()._make(), dynamic=False, options=frozen_weights))

    def _call(self, tiles: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        fill = tiles[-1:].expand(self.max_tiles - len(tiles), -1, -1, -1)
        try:
            outs = super()._call(torch.cat([tiles, fill]))
        except torch._dynamo.exc.BackendCompilerFailed as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"backend 'compile' cannot compile here; use backend=torch: {reason}") from error
        return tuple(out[: len(tiles)] for out in outs)
