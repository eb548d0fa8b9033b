"""Frames a second of an encoder and of a build; for `gpu.py`."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import timm
import torch
from encode import frames_of, normalised, reference
from gpu_commands import command
from safetensors.torch import save_file

from s2robot.device import wait_for
from s2robot.encoders import ENCODERS
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.network import Pretrained

BATCH = 64  # frames of the encoder's own rate
TURNS = 3  # the best counts


@dataclass(frozen=True)
class Subject:
    """An encoder, its sizes, and the timm model whose random weights it is given (None: its own)."""

    name: str
    sizes: tuple[int, int]
    untrained: str | None = None

    def options(self, folder: Path) -> dict[str, Any]:
        """Arguments of `CameraEncoders`."""
        chosen: dict[str, Any] = {"name": self.name, "sizes": list(self.sizes), "tile": self.sizes[0]}
        if self.untrained is None:
            return chosen
        file = folder / f"{self.untrained}.safetensors"
        if not file.exists():
            torch.manual_seed(0)
            save_file(timm.create_model(self.untrained, pretrained=False).state_dict(), file)
        return chosen | {"weights": str(file)}

    def words(self, folder: Path) -> list[str]:
        """The same on the command line."""
        return [f"encoder.{key}={value}".replace(" ", "") for key, value in self.options(folder).items()]


LARGE = {
    "lite0": Subject("lite0", (224, 448)),
    "vit_b16": Subject("mae_b", (224, 448), "vit_base_patch16_224.mae"),
}
TINY = {
    "lite0": Subject("lite0", (32, 64)),
    "vit_b16": Subject("timm/test_vit", (32, 64), "test_vit"),
}


def subjects(tiny: bool) -> dict[str, Subject]:
    return TINY if tiny else LARGE


def rate(function: Callable[[], object], frames: int, device: torch.device) -> float:
    """Frames a second of the best turn, after one that is not counted."""
    spent = []
    for _ in range(2 if frames < BATCH else 1 + TURNS):
        start = time.perf_counter()
        function()
        wait_for(device)
        spent.append(time.perf_counter() - start)
    return frames / min(spent[1:])


def encoder(device: torch.device, folder: Path, tiny: bool) -> dict[str, Any]:
    """Ours from uint8 frames in host memory, the reference from normalised frames on the device."""
    figures = {}
    halves = ["bfloat16"] if device.type == "cpu" else ["float16"]
    for key, subject in subjects(tiny).items():
        for precision in ("float32", *halves):
            frames = frames_of(2 if tiny else 4 * BATCH, subject.sizes[1])
            backend = "torch" if device.type == "cpu" else "auto"
            options = subject.options(folder) | {"precision": precision, "backend": backend}
            ours = CameraEncoders(**options, device=device)
            own = rate(partial(ours.encode, "camera", frames), len(frames), device)
            theirs = reference_rate(subject, folder, precision, frames, device)
            label = "float32" if precision == "float32" else "float16"
            figures[f"{key} {label}"] = {
                "frames_per_s": round(own, 1),
                "s2wrapper_frames_per_s": round(theirs, 1),
                "ratio": round(own / theirs, 3),
            }
    return figures


def reference_rate(
    subject: Subject, folder: Path, precision: str, frames: np.ndarray, device: torch.device
) -> float:
    """`s2wrapper.forward` over the same eager network, with what is left to PyTorch's defaults as ours is."""
    options = subject.options(folder)
    base = CameraEncoders(**options, device="cpu", backend="torch").base
    made = ENCODERS[subject.name](base.options)
    pretrained = Pretrained(replace(made.spec, tile=subject.sizes[0]), lambda: made.build().to(device))
    encode = reference(pretrained, subject.sizes)
    pixels = normalised(pretrained, frames).to(device)
    half = precision != "float32"
    autocast = torch.autocast(device.type, getattr(torch, precision), enabled=half)

    def run() -> None:
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=half)
        with autocast, exact:
            for part in pixels.split(BATCH):
                encode(part)

    return rate(run, len(frames), device)


def build(device: torch.device, folder: Path, tiny: bool) -> dict[str, Any]:
    """A build in a fresh process beside the encoder's own rate in this one."""
    figures = {}
    half = [] if device.type == "cpu" else ["encoder.precision=float16"]
    for key, subject in subjects(tiny).items():
        demos = folder / f"build_{subject.sizes[1]}.hdf5"
        if not demos.exists():
            write_demos(demos, subject.sizes[1], episodes=3 if tiny else 60)
        options = subject.options(folder) | ({"precision": "float16"} if half else {"backend": "torch"})
        ours = CameraEncoders(**options, device=device)
        frames = frames_of(2 if tiny else 8 * BATCH, subject.sizes[1])
        alone = rate(partial(ours.encode, "agentview", frames), len(frames), device)
        words = [
            *subject.words(folder),
            *(half or ["encoder.backend=torch"]),
            f"features.root={folder}/{key}",
        ]
        process_s, last = command("features", str(demos), *words, f"--device={device}", "--json", here=tiny)
        said = json.loads(last)
        own = said["frames_encoded"] / said["seconds"]
        figures[key] = {
            "frames": said["frames_encoded"],
            "seconds": round(said["seconds"], 2),
            "start_up_s": round(process_s - said["seconds"], 1),
            "frames_per_s": round(own, 1),
            "encoder_frames_per_s": round(alone, 1),
            "share": round(own / alone, 3),
        }
    return figures


def write_demos(file: Path, side: int, episodes: int) -> None:
    """Demonstrations of one camera as robomimic keeps them, each of another length, gzip-compressed."""
    lengths = [3 + i if episodes < 10 else 60 + i for i in range(episodes)]
    rng = np.random.default_rng(0)
    with h5py.File(file, "w") as out:
        for i, length in enumerate(lengths):
            demo = out.create_group(f"data/demo_{i}")
            demo.attrs["num_samples"] = length
            frames = frames_of(length, side)
            frames[:, :8, :8] = rng.integers(0, 256, (length, 8, 8, 3))  # no two frames are equal
            chunks, gzip = (1, side, side, 3), {"compression": "gzip", "compression_opts": 1}
            demo.create_dataset("obs/agentview_image", data=frames, chunks=chunks, **gzip)
            demo["actions"] = rng.uniform(-1, 1, (length, 7)).astype(np.float32)
