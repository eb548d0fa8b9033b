"""What each encoder costs on one frame: `s2robot encoders`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from s2robot.encoders import ENCODERS, S2, NetworkEncoder, make_encoder
from s2robot.encoders.backends import frozen
from s2robot.encoders.timm import Timm, hub_file
from s2robot.errors import UserError

WARM_UP_FRAMES = 2
TIMED_FRAMES = 8
FLOAT16_BYTES = 2


@dataclass(frozen=True)
class Cost:
    """Of an encoder on a square frame whose side is the largest size."""

    name: str
    parameters: int  # of what is computed: nothing beyond the layer that the map is taken from
    gflops: float  # 10^9 floating-point operations a frame; a multiplication and an addition are two
    tiles: int
    channels: int
    grid: tuple[int, int]
    frame_bytes: int  # of its features in float16
    licence: str
    source: str
    frame_ms: float | None  # measured here; None where the weights are not


def cost(name: str, sizes: Sequence[int], device: str | None = None, timed: bool = True) -> Cost:
    """Count parameters and operations without computing anything, and measure if the weights are here."""
    entry = ENCODERS[name]
    pretrained = entry.untrained()
    with torch.device("meta"):
        network = frozen(pretrained.build(), pretrained.spec)
    encoder = S2(NetworkEncoder(pretrained, "torch", "cpu"), sizes)
    side = max(sizes)
    tilings = encoder.spec.tilings(side, side)
    grid = encoder.spec.grid(side, side)
    return Cost(
        name=name,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gflops=sum(t.count * _flops(network, t.tile) for t in tilings) / 1e9,
        tiles=sum(t.count for t in tilings),
        channels=encoder.spec.channels,
        grid=grid,
        frame_bytes=encoder.spec.channels * (grid[0] * grid[1] + encoder.spec.prefix_tokens) * FLOAT16_BYTES,
        licence=entry.licence,
        source=entry.source,
        frame_ms=_frame_ms(name, sizes, device) if timed and weights_here(name) else None,
    )


def table(names: Sequence[str], sizes: Sequence[int], device: str | None = None) -> list[str]:
    """Lines to print; an encoder that does not take these sizes says why."""
    lines = [
        f"{'encoder':<14}{'params':>9}{'GFLOPs':>9}{'tiles':>7}  {'features':<14}{'bytes/frame':>12}"
        f"{'ms/frame':>12}  licence"
    ]
    for name in names:
        try:
            row = cost(name, sizes, device)
        except UserError as error:
            lines.append(f"{name:<14}{error}")
            continue
        features = f"{row.channels}x{row.grid[0]}x{row.grid[1]}"
        measured = f"{row.frame_ms:12.1f}" if row.frame_ms is not None else f"{'no weights':>12}"
        lines.append(
            f"{name:<14}{row.parameters / 1e6:8.1f}M{row.gflops:9.1f}{row.tiles:7}  {features:<14}"
            f"{row.frame_bytes:12}{measured}  {row.licence}"
        )
    return lines


def weights_here(name: str) -> bool:
    """Whether the weights of an encoder are on this machine; nothing is downloaded to find out."""
    entry = ENCODERS[name]
    if isinstance(entry, Timm):
        return hub_file(entry) is not None
    try:
        entry()
    except UserError:
        return False
    return True


def _flops(network: nn.Module, tile: tuple[int, int]) -> int:
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *tile))
    return counter.get_total_flops()


def _frame_ms(name: str, sizes: Sequence[int], device: str | None) -> float:
    side = max(sizes)
    frames = np.random.default_rng(0).integers(0, 256, (TIMED_FRAMES, side, side, 3), dtype=np.uint8)
    encoder = make_encoder(name, sizes, device=device)
    encoder.encode(frames[:WARM_UP_FRAMES])
    start = time.perf_counter()
    encoder.encode(frames).map.cpu()
    return (time.perf_counter() - start) / TIMED_FRAMES * 1e3
