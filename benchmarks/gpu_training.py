"""Milliseconds of training steps; for `gpu.py`."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inputs import Made

from s2robot.datasets.windows import Windows
from s2robot.device import wait_for
from s2robot.features import FeatureTable, place
from s2robot.features.row import Row
from s2robot.policies import POLICIES, make_policy
from s2robot.policies.observation import Statistics
from s2robot.training.options import OptimConfig
from s2robot.training.step import Step, make_step
from s2robot.training.trainer import Trainer
from s2robot.types import CameraSpec, Spec, image_key

NAMES = ("bc", "diffusion_unet", "flow", "act", "diffusion_transformer")
WARM_UP = 20


def training(device: torch.device, folder: Path, tiny: bool) -> dict[str, Any]:
    """Each policy as it comes, features on the device."""
    figures = {}
    for name in NAMES:
        eager_ms, _, _ = timed(name, "never", device, device, tiny)
        graph_ms, _, replayed = timed(name, "auto", device, device, tiny)
        figures[name] = {
            "eager_ms": round(eager_ms, 3),
            "graph_ms": round(graph_ms, 3),
            "ratio": round(eager_ms / graph_ms, 2),
            "replayed": replayed,
        }
    return figures


def ram_tier(device: torch.device, folder: Path, tiny: bool) -> dict[str, Any]:
    """`bc` from RAM beside the same from the device, both as `optim.graph=auto` takes them."""
    on_device, _, _ = timed("bc", "auto", device, device, tiny)
    in_ram, waited, _ = timed("bc", "auto", device, torch.device("cpu"), tiny)
    return {
        "device_steps_per_s": round(1e3 / on_device, 1),
        "ram_steps_per_s": round(1e3 / in_ram, 1),
        "share": round(on_device / in_ram, 3),
        "waiting": round(waited, 4),
    }


def timed(
    name: str, graph: str, device: torch.device, features: torch.device, tiny: bool
) -> tuple[float, float, bool]:
    """Milliseconds of a step, the share of them that waited for data, and whether steps are replayed."""
    steps, warm_up = (2, 1) if tiny else (300, WARM_UP)
    frames, episode = (60, 20) if tiny else (4000, 100)
    shape, small = ((8, 4, 4), (8, 4, 4)) if tiny else ((224, 14, 14), (112, 14, 14))
    shapes = {"agentview": shape, "robot0_eye_in_hand": small}
    lengths = [episode] * (frames // episode)
    torch.manual_seed(0)
    tables = {}
    for camera, shape in shapes.items():
        data, row = torch.rand(frames, Row(shape).numbers).half(), Row(shape)
        tables[camera] = FeatureTable(data, row, torch.arange(frames), lengths)
    tables = place(tables, device, "ram" if features.type == "cpu" else "device")
    actions = np.random.default_rng(0).uniform(-1, 1, (frames, 7)).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    cameras = {camera: CameraSpec(image_key(camera), (448, 448), shape) for camera, shape in shapes.items()}
    policy = make_policy(Spec("", {}, 7, {}, cameras), POLICIES[name].options())
    policy.fit(Statistics({c: table.channel_stats(table.frames) for c, table in tables.items()}, {}, actions))
    optim = OptimConfig(steps=warm_up + steps, batch_size=8 if tiny else 64, graph=graph)
    trainer = Trainer(policy.to(device).train(), optim, Path(), {})
    windows = Windows(Made(offsets, actions), tables, policy.config, range(len(lengths)), features)
    take: Step = make_step(trainer, windows, 0, range(warm_up + steps))
    waited = 0.0
    for step in range(warm_up + steps):
        if step == warm_up:
            wait_for(device)
            start, waited = time.perf_counter(), 0.0
        torch.manual_seed(step)
        take(step)
        waited += take.waited_s
    wait_for(device)
    spent = time.perf_counter() - start
    return 1e3 * spent / steps, waited / spent, bool(getattr(take, "replays", False))
