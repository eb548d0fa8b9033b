"""OpenVINO: on most CPUs several times faster than PyTorch."""

import hashlib
import importlib.metadata
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.device import torch_threads
from s2robot.encoders.backends.base import Backend, Build, FitsTile, frozen
from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.files import cache_root
from s2robot.processes.cores import usable_cores
from s2robot.types import Features

log = logging.getLogger(__name__)


HINTS = {"float32": "f32", "bfloat16": "bf16"}  # never another one, whatever the CPU would like


def computes_bfloat16() -> bool:
    """Whether this CPU has bfloat16 arithmetic (AMX or AVX512-BF16), as OpenVINO sees it."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend(Backend):
    """OpenVINO: one tile at a time on each core, so no frame's bits depend on its neighbours.

    In bfloat16 on a CPU that has it, with float32 where the network needs it, as OpenVINO decides.
    """

    name = "openvino"
    max_tiles = 1

    def __init__(self, spec: EncoderSpec, build: Build, device: torch.device) -> None:
        if device.type != "cpu":
            raise UserError(
                f"backend 'openvino' runs on device 'cpu', not {str(device)!r}; use backend=torch there"
            )
        if spec.precision not in HINTS:
            raise UserError(f"backend 'openvino' computes in {' or '.join(HINTS)}, not {spec.precision}")
        if spec.precision == "bfloat16" and not computes_bfloat16():
            raise UserError(
                "backend 'openvino' computes in bfloat16 on CPUs with AMX or AVX512-BF16, and this one has "
                "neither: use encoder.precision=float32, or backend=torch, which is slow"
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
                "INFERENCE_PRECISION_HINT": HINTS[self.spec.precision],
                "NUM_STREAMS": self.threads,
                "INFERENCE_NUM_THREADS": self.threads,
                # bound to cores, the threads of several processes would share the first of these
                "ENABLE_CPU_PINNING": self.threads >= usable_cores(),
            }
            compiled = _core().compile_model(self._graph(h, w), "CPU", config)
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
            return _core().read_model(graph_file, weights_file)
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


@cache
def _core() -> Any:
    """The process's one handle of OpenVINO, never let go of.

    With its last handle the CPU plugin unmaps the stack that it gave the process's signal handlers
    (sigaltstack): the next signal that is handled, SIGTERM for one, would be a segmentation fault.
    """
    import openvino

    return openvino.Core()


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
