"""What runs a frozen network: PyTorch (any device), compiled PyTorch, or OpenVINO (CPU)."""

import importlib.util
from collections.abc import Callable

import torch

from s2robot.encoders.backends.base import Backend, Build, frozen
from s2robot.encoders.backends.choice import FastestBackend, remembered
from s2robot.encoders.backends.eager import CompiledBackend, TorchBackend
from s2robot.encoders.backends.openvino import OpenVinoBackend
from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.registry import Registry

__all__ = ["BACKENDS", "Backend", "frozen", "make_backend", "remembered"]

BACKENDS: Registry[Callable[[EncoderSpec, Build, torch.device], Backend]] = Registry("backend")
BACKENDS["compile"] = CompiledBackend
BACKENDS["openvino"] = OpenVinoBackend
BACKENDS["torch"] = TorchBackend


def make_backend(
    name: str, spec: EncoderSpec, build: Build, device: str | torch.device | None = None
) -> Backend:
    """The backend `name`; "auto" is the faster of PyTorch and OpenVINO on a CPU, and PyTorch elsewhere.

    `device` is CUDA's when there is one unless given. Raises UserError for unknown or unfit names.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() and name != "openvino" else "cpu"
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {str(device)!r} is not there: PyTorch sees no CUDA GPU on this machine")
    if name != "auto":
        return BACKENDS[name](spec, build, device)
    fits_openvino = device.type == "cpu" and spec.precision == "float32"
    if not fits_openvino or importlib.util.find_spec("openvino") is None:
        return TorchBackend(spec, build, device)
    # compiling is never chosen by itself: it would cost a minute to find out
    return FastestBackend(spec, build, device, {key: BACKENDS[key] for key in ("openvino", "torch")})
