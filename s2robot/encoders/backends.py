"""What runs a frozen network: PyTorch (any device) or OpenVINO (CPU, several times faster there).

A backend maps batches of tiles in 0..255 to features. It is given a function that builds the network and
calls it only when it has to, so an encoder whose features are all stored costs nothing to make.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.cache import cache_root
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.base import EncoderSpec, Features
from s2robot.errors import Registry, UserError, unknown_name
from s2robot.threads import torch_threads

log = logging.getLogger(__name__)


class Backend(Protocol):
    name: str
    device: torch.device  # where tiles should be and features come out
    max_tiles: int  # tiles of one batch that it handles best: memory on a GPU, cache and allocator on a CPU

    def beside(self) -> AbstractContextManager[None]:
        """What to make tiles and merge maps in, so that PyTorch leaves the cores to this backend."""

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        """Features of each batch of tiles (float32, 0..255); a batch may be drawn while earlier ones run."""


@runtime_checkable
class FitsTile(Protocol):
    """A network that computes what depends on the tile's size alone, once."""

    def fit_tile(self, h: int, w: int) -> None: ...


class Normalised(nn.Module):
    """A network that takes pixels in 0..255 instead of normalised ones."""

    mean: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, spec: EncoderSpec) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(spec.std).view(1, 3, 1, 1)))

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Tensor | tuple[Tensor, Tensor]:
        return self.network((pixels - self.mean) * self.scale)


def frozen(network: nn.Module, spec: EncoderSpec) -> nn.Module:
    return Normalised(network, spec).eval().requires_grad_(False)


class TorchBackend:
    """Eager PyTorch, channels last; autocast where the spec's precision is a half one."""

    name = "torch"

    def __init__(self, spec: EncoderSpec, build: Callable[[], nn.Module], device: torch.device) -> None:
        self.spec, self.build, self.device = spec, build, device
        # On a CPU, batches whose activations all stay below the allocator's limit of 32 MB are the fastest.
        self.max_tiles = 256 if device.type == "cuda" else 6
        self._network: nn.Module | None = None

    @property
    def network(self) -> nn.Module:
        if self._network is None:
            keep_freed_memory()
            network = frozen(self.build(), self.spec)
            self._network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._network

    def beside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        return [self._run(tiles) for tiles in batches]

    def _run(self, tiles: Float[Tensor, "n 3 h w"]) -> Features:
        half = self.spec.precision != "float32"
        autocast = torch.autocast(self.device.type, PRECISIONS[self.spec.precision], enabled=half)
        # TF32 would be a thousandth off without having been asked for
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=half)
        parts = []
        with torch.no_grad(), autocast, exact:
            for part in tiles.split(self.max_tiles):
                out = self.network(part.contiguous(memory_format=torch.channels_last))
                parts.append(out if isinstance(out, tuple) else (out,))
        return Features(*(torch.cat(outs).float() for outs in zip(*parts, strict=True)))


class OpenVinoBackend:
    """OpenVINO in fp32: one tile at a time on each core, so no frame's bits depend on its neighbours."""

    name = "openvino"
    max_tiles = 1

    def __init__(self, spec: EncoderSpec, build: Callable[[], nn.Module], device: torch.device) -> None:
        if device.type != "cpu":
            raise UserError(
                f"backend 'openvino' runs on device 'cpu', not {str(device)!r}; use backend=torch there"
            )
        if spec.precision != "float32":
            raise UserError(
                f"backend 'openvino' computes in float32, not {spec.precision}: use backend=torch"
            )
        self.spec, self.build, self.device = spec, build, device
        self.threads = torch.get_num_threads()
        self._queues: dict[tuple[int, int], Any] = {}  # (h, w) of a tile -> AsyncInferQueue

    def beside(self) -> AbstractContextManager[None]:
        return torch_threads(1)

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        features = []
        used: set[tuple[int, int]] = set()
        for tiles in batches:
            n, _, h, w = tiles.shape
            queue = self._queue(h, w)
            used.add((h, w))
            outputs = self._empty(queue, n)
            for i in range(n):
                # `tiles` goes along because the request reads its memory and does not own it
                queue.start_async([tiles[i : i + 1].numpy()], (outputs, i, tiles), share_inputs=True)
            features.append(Features(*(torch.from_numpy(out) for out in outputs)))
        for size in used:
            self._queues[size].wait_all()
        return features

    def _queue(self, h: int, w: int) -> Any:
        if (h, w) not in self._queues:
            import openvino

            config = {
                "INFERENCE_PRECISION_HINT": "f32",  # never bf16, whatever the CPU would like
                "NUM_STREAMS": self.threads,
                "INFERENCE_NUM_THREADS": self.threads,
            }
            compiled = openvino.Core().compile_model(self._graph(h, w), "CPU", config)
            queue = openvino.AsyncInferQueue(compiled, 2 * self.threads)
            queue.set_callback(_keep_outputs)
            self._queues[h, w] = queue
        return self._queues[h, w]

    def _empty(self, queue: Any, n: int) -> list[np.ndarray]:
        shapes = [tuple(output.shape) for output in queue[0].model_outputs]
        return [np.empty((n, *shape[1:]), np.float32) for shape in shapes]

    def _graph(self, h: int, w: int) -> Any:
        """The network as an OpenVINO graph for tiles of h x w; kept on disk because tracing takes seconds."""
        import openvino

        versions = {p: importlib.metadata.version(p) for p in ("openvino", "torch", "timm")}
        key = json.dumps([self.spec.to_dict(), h, w, versions], sort_keys=True)
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        folder = cache_root() / "openvino"
        graph_file, weights_file = folder / f"{name}.xml", folder / f"{name}.bin"
        known = bool(self.spec.weights_sha256)  # random weights are not to be found again
        if known and graph_file.exists() and weights_file.exists():
            return openvino.Core().read_model(graph_file, weights_file)
        example = torch.zeros(1, 3, h, w)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", FutureWarning)  # OpenVINO traces with torch.jit
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # one graph is for one size
            network = self.build()
            if isinstance(network, FitsTile):
                network.fit_tile(h, w)
            graph = openvino.convert_model(
                frozen(network, self.spec), example_input=example, input=[1, 3, h, w]
            )
        if not known:
            return graph
        try:
            _save_graph(graph, graph_file, weights_file)
        except OSError as error:
            log.warning("the OpenVINO graph is not kept in %s: %s", folder, error)
        return graph


def _keep_outputs(request: Any, job: tuple[list[np.ndarray], int, Tensor]) -> None:
    outputs, i, _ = job
    for k, out in enumerate(outputs):
        out[i] = request.get_output_tensor(k).data[0]


def _save_graph(graph: Any, graph_file: Path, weights_file: Path) -> None:
    import openvino

    graph_file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=graph_file.parent) as scratch:
        openvino.save_model(graph, f"{scratch}/graph.xml", compress_to_fp16=False)
        os.replace(f"{scratch}/graph.bin", weights_file)
        os.replace(f"{scratch}/graph.xml", graph_file)


PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
BACKENDS: Registry[Callable[[EncoderSpec, Callable[[], nn.Module], torch.device], Backend]] = Registry(
    "backend"
)
BACKENDS["torch"] = TorchBackend
BACKENDS["openvino"] = OpenVinoBackend


def make_backend(
    name: str, spec: EncoderSpec, build: Callable[[], nn.Module], device: str | torch.device | None = None
) -> Backend:
    """The backend `name`; "auto" is OpenVINO on a CPU that has it and PyTorch elsewhere.

    `device` is CUDA's when there is one unless given. Raises UserError for unknown or unfit names.
    """
    if spec.precision not in PRECISIONS:
        raise unknown_name("precision", spec.precision, PRECISIONS)
    if device is None:
        device = "cuda" if torch.cuda.is_available() and name != "openvino" else "cpu"
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {str(device)!r} is not there: PyTorch sees no CUDA GPU on this machine")
    if name == "auto":
        has_openvino = importlib.util.find_spec("openvino") is not None
        full = spec.precision == "float32"
        name = "openvino" if device.type == "cpu" and has_openvino and full else "torch"
    return BACKENDS[name](spec, build, device)
