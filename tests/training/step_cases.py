"""Small trainings of every policy on made-up demonstrations, for the tests of a training step."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from s2robot.datasets.windows import Windows
from s2robot.features.row import Row
from s2robot.features.table import FeatureTable
from s2robot.policies import POLICIES
from s2robot.training.options import OptimConfig
from s2robot.training.trainer import Trainer
from tests.policies.policy_cases import SPEC, fitted

LENGTHS = (9, 5, 12)
FRAMES = sum(LENGTHS)
# Sizes at which a step of each policy takes milliseconds; those of others are small already.
SMALL: dict[str, dict[str, Any]] = {
    "act": {
        "width": 16,
        "attention_heads": 2,
        "style_layers": 1,
        "encoder_layers": 1,
        "decoder_layers": 1,
    },
    "bc": {"hidden": [16]},
    "bc_gmm": {"hidden": [16]},
    "bc_paper": {"width": 16, "layers": 1, "attention_heads": 2},
    "bc_rnn_gmm": {"hidden": [16], "rnn_dim": 16},
    "bc_transformer_gmm": {"width": 16, "layers": 1, "attention_heads": 2},
    "diffusion_transformer": {"width": 16, "layers": 1, "attention_heads": 2, "dropout": 0.1},
    "diffusion_unet": {"channels": [8, 16], "embedding": 16},
    "flow": {"channels": [8, 16], "embedding": 16},
}
NAMES = sorted(POLICIES)


@dataclass
class Demos:
    """Random proprioception and actions of three episodes."""

    offsets: np.ndarray
    proprio: dict[str, np.ndarray]
    values: np.ndarray

    def proprioception(self) -> dict[str, np.ndarray]:
        return self.proprio

    def actions(self) -> np.ndarray:
        return self.values

    def executed_actions(self) -> None:
        return None


def made_windows(config: Any, device: str = "cpu", features: str | None = None, views: int = 2) -> Windows:
    """Windows on `device` of random features in `views` views, which are on `features` (else there, too)."""
    rng = np.random.default_rng(0)
    proprio = {key: rng.random((FRAMES, dim), np.float32) for key, dim in SPEC.proprio.items()}
    actions = 2 * rng.random((FRAMES, 7), np.float32) - 1
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    tables = {}
    for name, camera in SPEC.cameras.items():
        row = Row(camera.features, camera.prefix)
        data = torch.from_numpy(rng.random((FRAMES * views, row.numbers), np.float32)).half()
        rows = torch.arange(FRAMES * views).view(FRAMES, views)
        tables[name] = FeatureTable(data, row, rows, LENGTHS).to(features or device)
    return Windows(Demos(offsets, proprio, actions), tables, config, range(len(LENGTHS)), device)


def made_trainer(name: str, device: str = "cpu", **optim: Any) -> Trainer:
    """A policy in training, with the same weights each time."""
    options = {"steps": 100, "batch_size": 8, "warmup_steps": 5, **optim}
    policy = copy.deepcopy(fitted(name, **SMALL.get(name, {})))
    return Trainer(policy.to(device).train(), OptimConfig(**options), Path(), {})


class OffDevice(TorchDispatchMode):
    """Notes operations that touch the CPU, in a computation that belongs on another device."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        touched = tree_leaves((args, kwargs or {}, result))
        if any(isinstance(one, torch.Tensor) and one.device.type == "cpu" for one in touched):
            self.noted.append(str(func))
        return result


class Recorder(TorchDispatchMode):
    """Notes every operation with its arguments, a tensor's by its shape: what a graph would record of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not str(func).startswith("profiler."):
            self.calls.append(f"{func} {list(_described((*args, *(kwargs or {}).items())))}")
        return func(*args, **(kwargs or {}))

    def reads(self) -> list[str]:
        """Those that would wait for a GPU: a number, or how many elements are True, becomes known."""
        waiting = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.is_nonzero")
        return [call for call in self.calls if call.startswith(waiting) or _chooses(call)]


def _chooses(call: str) -> bool:
    """Whether it indexes with a mask, which asks for the number of True."""
    return call.startswith(("aten.index.", "aten.index_put")) and "torch.bool" in call.partition(",")[2]


def _described(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield f"{value.dtype}{tuple(value.shape)}"
        elif isinstance(value, list | tuple):
            yield f"({', '.join(_described(value))})"
        else:
            yield repr(value)
