"""What one GPU gives: encoder, feature build, training steps, memory tiers, and the whole path, in one run.

    python benchmarks/gpu.py                      # with a CUDA GPU: at most 8 minutes, no network
    python benchmarks/gpu.py --only training      # parts: encoder build training ram_tier path
    python benchmarks/gpu.py --tiny --device cpu  # the same keys in seconds, to show that it runs

encoder    frames a second beside `s2wrapper.forward` over the same eager network in the same precision (TF32
           alike on both sides)
build      `s2robot features` in a fresh process on gzip HDF5 with 60 episodes of different lengths, start-up
           apart, beside the encoder's own rate in batches of one size
training   milliseconds of a step of 64, eager and as a CUDA graph, features on the device
ram_tier   steps a second of `bc` with features in RAM, beside those with features on the device
path       features, 3,000 steps of `bc`, 100 evaluated episodes of PickCube: three commands, start-up
           counted; the demonstrations are collected before

ViT-B/16 has random weights, which are as fast. The last line is one JSON object; what the machine cannot do
is null there, and a line before it says why.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_commands
import gpu_encoding
import gpu_training
import torch

from s2robot.device import choose_device
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.errors import UserError

# figure (keys in the JSON object, joined by dots) -> what it must be at least or, if negative, at most
TARGETS = {
    "build.lite0.share": 0.7,
    "build.vit_b16.share": 0.85,
    "encoder.lite0 float32.ratio": 1.3,
    "encoder.lite0 float16.ratio": 1.3,
    "encoder.vit_b16 float16.ratio": 1.1,
    "training.bc.ratio": 6.0,
    "training.diffusion_unet.ratio": 4.0,
    "training.flow.ratio": 4.0,
    "training.act.ratio": 4.0,
    "training.diffusion_transformer.ratio": 4.0,
    "ram_tier.share": 0.7,
    "ram_tier.waiting": -0.05,
    "path.total_s": -45.0,
    "path.successes": 95,
}
PARTS: dict[str, Callable[[torch.device, Path, bool], dict[str, Any]]] = {
    "encoder": gpu_encoding.encoder,
    "build": gpu_encoding.build,
    "training": gpu_training.training,
    "ram_tier": gpu_training.ram_tier,
    "path": gpu_commands.path,
}


def measured(name: str, device: torch.device, folder: Path, tiny: bool) -> dict[str, Any] | None:
    """The figures of a part; None, with a line that says why, where the machine cannot do it."""
    start = time.perf_counter()
    try:
        figures = PARTS[name](device, folder, tiny)
    except (UserError, RuntimeError, ImportError) as error:
        print(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}", flush=True)
        return None
    print(f"{name} ({time.perf_counter() - start:.0f} s)", flush=True)
    for key, value in figures.items():
        numbers = value.items() if isinstance(value, dict) else [("", value)]
        print(
            f"    {key:24}", *(f"{label} {number}".strip() for label, number in numbers), sep="  ", flush=True
        )
    return figures


def found(figures: dict[str, Any], name: str) -> float | None:
    """A figure by its dotted name; None where it was not measured."""
    value: Any = figures
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def print_targets(figures: dict[str, Any]) -> None:
    for name, target in TARGETS.items():
        value = found(figures, name)
        if value is None:
            continue
        reached = value >= target if target > 0 else value <= -target
        sign = ">=" if target > 0 else "<="
        print(f"{'reached' if reached else 'MISSED':8} {name:40} {value:8.3f}  {sign} {abs(target):g}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--tiny", action="store_true", help="small sizes: the keys, and no figure of worth")
    arguments = parser.parse_args()

    start = time.perf_counter()
    try:
        device = choose_device(arguments.device)
    except UserError as error:
        parser.error(str(error))
    keep_freed_memory()
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "tiny": arguments.tiny,
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["S2ROBOT_CACHE"] = folder  # nothing is found there: everything is measured anew
        for name in PARTS:
            asked = name in arguments.only
            figures[name] = measured(name, device, Path(folder), arguments.tiny) if asked else None
    figures["seconds"] = round(time.perf_counter() - start, 1)
    if not arguments.tiny:
        print_targets(figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
