"""Which backend is the fastest for an encoder on this machine: measured once, and remembered in the cache."""

import importlib.metadata
import importlib.util
import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.device import wait_for
from s2robot.encoders.backends.base import Backend, Build
from s2robot.encoders.spec import EncoderSpec
from s2robot.files import cache_root, write_text
from s2robot.types import Features

TURNS = 3  # the best of a few turns counts: other work only makes one slower


class FastestBackend(Backend):
    """One of several backends, found out when it is first needed."""

    def __init__(
        self,
        spec: EncoderSpec,
        build: Build,
        device: torch.device,
        candidates: Mapping[str, Callable[[EncoderSpec, Build, torch.device], Backend]],
    ) -> None:
        self.spec, self.build, self.device, self.candidates = spec, build, device, candidates
        self._max_tiles: int | None = None  # if it was set
        self.plans_shapes = device.type == "cuda"

    @cached_property
    def chosen(self) -> Backend:
        key = f"{self.spec.name} {_machine()} {_versions()} layer {self.spec.layer} tile {self.spec.tile}"
        if self.device.type == "cuda":
            key += f" {torch.cuda.get_device_name(self.device)} {self.spec.precision}"
        known = remembered().get(key, {})
        if known.keys() == self.candidates.keys():
            return self._make(min(known, key=known.__getitem__))
        backends = {name: self._make(name) for name in self.candidates}
        tile_ms = {name: _tile_ms(backend, self.spec.tile) for name, backend in backends.items()}
        _remember(key, tile_ms)
        return backends[min(tile_ms, key=tile_ms.__getitem__)]

    @property
    def name(self) -> str:
        return self.chosen.name

    @property
    def max_tiles(self) -> int:
        return self.chosen.max_tiles if self._max_tiles is None else self._max_tiles

    @max_tiles.setter
    def max_tiles(self, count: int) -> None:
        self._max_tiles = count  # nothing is measured before a frame is encoded

    def beside(self) -> AbstractContextManager[None]:
        return self.chosen.beside()

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        self.chosen.max_tiles = self.max_tiles
        return self.chosen.map(batches)

    def forget(self) -> None:
        self.chosen.forget()

    def _make(self, name: str) -> Backend:
        return self.candidates[name](self.spec, self.build, self.device)


def remembered() -> dict[str, dict[str, float]]:
    """What was measured so far: encoder, machine and versions -> backend -> milliseconds a tile."""
    try:
        found: Any = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}  # nothing yet, or damaged: it is measured again
    return found if isinstance(found, dict) else {}


def _remember(key: str, tile_ms: dict[str, float]) -> None:
    file = _file()
    with suppress(OSError):  # a cache that cannot be written costs measuring again
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(remembered() | {key: tile_ms}, indent=2) + "\n")


def _tile_ms(backend: Backend, tile: int) -> float:
    on_gpu = backend.device.type == "cuda"  # which needs large batches, and some calls to record a graph
    count, warm_up = (64, 5) if on_gpu else (4, 1)
    tiles = torch.rand(count, 3, tile, tile, device=backend.device) * 255
    turns = []
    with backend.beside():
        for turn in range(warm_up + TURNS):
            start = time.perf_counter()
            backend.within_memory(lambda: backend.map([tiles]))
            wait_for(backend.device)
            if turn >= warm_up:
                turns.append((time.perf_counter() - start) / count * 1e3)
    return round(min(turns), 3)


def _file() -> Path:
    return cache_root() / "backends.json"


def _machine() -> str:
    """The processor, as far as it decides speed."""
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    except OSError:
        pass  # no Linux
    return f"{cpu}, {torch.get_num_threads()} threads"


def _versions() -> str:
    names = [name for name in ("torch", "openvino") if importlib.util.find_spec(name) is not None]
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
