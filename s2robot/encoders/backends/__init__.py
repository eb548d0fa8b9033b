"""What runs a frozen network: PyTorch (any device), also compiled or as a CUDA graph, or OpenVINO (CPU)."""

import importlib.util
import logging
from collections.abc import Callable

import torch

from s2robot.encoders.backends.base import Backend, Build, frozen
from s2robot.encoders.backends.choice import FastestBackend, remembered
from s2robot.encoders.backends.eager import CompiledBackend, TorchBackend
from s2robot.encoders.backends.graph import GraphBackend
from s2robot.encoders.backends.openvino import OpenVinoBackend, computes_bfloat16
from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.registry import Registry

__all__ = ["BACKENDS", "Backend", "frozen", "make_backend", "remembered"]

log = logging.getLogger(__name__)

BACKENDS: Registry[Callable[[EncoderSpec, Build, torch.device], Backend]] = Registry("backend")
BACKENDS["compile"] = CompiledBackend
BACKENDS["graph"] = GraphBackend
BACKENDS["openvino"] = OpenVinoBackend
BACKENDS["torch"] = TorchBackend


def make_backend(
    name: str, spec: EncoderSpec, build: Build, device: str | torch.device | None = None
) -> Backend:
    """The backend `name`; "auto" is the faster of PyTorch and OpenVINO, on a GPU of PyTorch and a CUDA graph.

    `device` is CUDA's when there is one unless given. No backend changes the precision. Raises UserError for
    unknown or unfit names, and for `auto` in float16 on a CPU.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() and name != "openvino" else "cpu"
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {str(device)!r} is not there: PyTorch sees no CUDA GPU on this machine")
    if name != "auto":
        return BACKENDS[name](spec, build, device)
    if device.type == "cuda":
        return FastestBackend(spec, build, device, {key: BACKENDS[key] for key in ("graph", "torch")})
    if spec.precision == "float16":
        raise UserError(
            "encoder.precision=float16 is for GPUs, and the device is 'cpu': use float32 there, or bfloat16 "
            "on a CPU with AMX; backend=torch computes it all the same, several times slower"
        )
    if importlib.util.find_spec("openvino") is None:
        return TorchBackend(spec, build, device)
    if spec.precision == "bfloat16":
        return _bfloat16(spec, build, device)
    # compiling is never chosen by itself: it would cost a minute to find out
    return FastestBackend(spec, build, device, {key: BACKENDS[key] for key in ("openvino", "torch")})


def _bfloat16(spec: EncoderSpec, build: Build, device: torch.device) -> Backend:
    """OpenVINO on a CPU that has bfloat16 arithmetic; on others PyTorch, with a line that says the cost."""
    if computes_bfloat16():
        return OpenVinoBackend(spec, build, device)
    log.warning(
        "warning: encoder.precision=bfloat16 is slower than float32 here: this CPU has neither AMX nor "
        "AVX512-BF16"
    )
    return TorchBackend(spec, build, device)
