"""What each encoder costs on one frame: `s2robot encoders`."""

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from s2robot.device import choose_device, wait_for
from s2robot.encoders import ENCODERS
from s2robot.encoders.backends import frozen
from s2robot.encoders.backends.openvino import computes_bfloat16
from s2robot.encoders.network import NetworkEncoder, Pretrained
from s2robot.encoders.options import EncoderConfig
from s2robot.encoders.s2 import S2
from s2robot.encoders.spec import S2Spec
from s2robot.encoders.tiles import Tiling
from s2robot.encoders.timm import Timm
from s2robot.errors import UserError

WARM_UP_FRAMES = 2
TIMED_FRAMES = 8
FLOAT16_BYTES = 2


@dataclass(frozen=True)
class Cost:
    """Of an encoder on a square frame whose side is the largest size."""

    name: str
    about: str
    tile: int  # largest side in pixels of what the network sees at once
    sizes: list[int]  # side in pixels of each scale
    parameters: int  # of what is computed: nothing beyond the layer that the map is taken from
    gflops: float  # 10^9 floating-point operations a frame; a multiplication and an addition are two
    tiles: int
    channels: int
    grid: tuple[int, int]
    frame_bytes: int  # of its features in float16
    licence: str
    source: str
    frame_ms: float | None  # measured here in float32; None where the weights are not
    bfloat16_ms: float | None  # the same in bfloat16; None also on a CPU that has no such arithmetic


def cost(
    name: str, sizes: Sequence[int] | None = None, device: str | None = None, timed: bool = True
) -> Cost:
    """Count parameters and operations without computing anything, and measure if the weights are here.

    `sizes` are those of `EncoderConfig`: the encoder's tile and twice it unless given.
    """
    entry = ENCODERS[name]
    options = EncoderConfig.of(name=name, sizes=sizes)
    pretrained, network = _without_weights(options)
    spec = S2(NetworkEncoder(pretrained, replace(options, backend="torch"), "cpu")).spec
    side = max(spec.sizes)
    tilings = spec.tilings(side, side)
    grid = spec.grid(side, side)
    return Cost(
        name=name,
        about=entry.about,
        tile=spec.tile,
        sizes=list(spec.sizes),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gflops=_gflops(network, tilings),
        tiles=sum(t.count for t in tilings),
        channels=spec.channels,
        grid=grid,
        frame_bytes=spec.channels * (grid[0] * grid[1] + spec.prefix_tokens) * FLOAT16_BYTES,
        licence=entry.licence,
        source=entry.source,
        frame_ms=_frame_ms(options, side, device) if timed and weights_here(name) else None,
        bfloat16_ms=_frame_ms(replace(options, precision="bfloat16"), side, device)
        if timed and weights_here(name) and _has_bfloat16(device)
        else None,
    )


def used_network(options: EncoderConfig) -> nn.Module:
    """The network of an encoder as far as it is computed, without weights: parameters can be counted."""
    return _without_weights(options)[1]


def frame_gflops(network: nn.Module, spec: S2Spec, size: tuple[int, int]) -> float:
    """10^9 floating-point operations of a frame of `size` (h, w) through `used_network`, at all scales."""
    return _gflops(network, spec.tilings(*size))


def _without_weights(options: EncoderConfig) -> tuple[Pretrained, nn.Module]:
    pretrained = ENCODERS[options.name].untrained(options)
    with torch.device("meta"):
        return pretrained, frozen(pretrained.build(), pretrained.spec)


def _gflops(network: nn.Module, tilings: Sequence[Tiling]) -> float:
    return sum(t.count * _flops(network, t.tile) for t in tilings) / 1e9


def table(names: Sequence[str], sizes: Sequence[int] | None = None, device: str | None = None) -> list[str]:
    """Lines to print; an encoder that does not take these sizes says why."""
    width = max(len(name) for name in ["encoder", *names]) + 2
    lines = [
        f"{'encoder':<{width}}{'params':>9}{'tile':>6}  {'sizes':<9}{'tiles':>6}{'GFLOPs':>9}  "
        f"{'features':<12}{'bytes/frame':>12}{'ms/frame':>12}{'bfloat16':>10}  {'model':<43}licence"
    ]
    for name in names:
        try:
            row = cost(name, sizes, device)
        except UserError as error:
            lines.append(f"{name:<{width}}{error}")
            continue
        features = f"{row.channels}x{row.grid[0]}x{row.grid[1]}"
        measured = f"{row.frame_ms:12.1f}" if row.frame_ms is not None else f"{'no weights':>12}"
        measured += f"{row.bfloat16_ms:10.1f}" if row.bfloat16_ms is not None else f"{'-':>10}"
        lines.append(
            f"{name:<{width}}{row.parameters / 1e6:8.1f}M{row.tile:6}  {'+'.join(map(str, row.sizes)):<9}"
            f"{row.tiles:6}{row.gflops:9.1f}  {features:<12}{row.frame_bytes:12}{measured}  "
            f"{row.about:<43}{row.licence}"
        )
    return lines


def weights_here(name: str) -> bool:
    """Whether the weights of an encoder are on this machine; nothing is downloaded to find out."""
    entry = ENCODERS[name]
    if isinstance(entry, Timm):
        return entry.file_here() is not None
    try:
        entry()
    except UserError:
        return False
    return True


def _has_bfloat16(device: str | None) -> bool:
    """Whether bfloat16 is computed as such: a GPU does, and a CPU for which OpenVINO says so."""
    if choose_device(device or "auto").type != "cpu":
        return True
    return importlib.util.find_spec("openvino") is not None and computes_bfloat16()


def _flops(network: nn.Module, tile: tuple[int, int]) -> int:
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *tile))
    return counter.get_total_flops()


def _frame_ms(options: EncoderConfig, side: int, device: str | None) -> float:
    frames = np.random.default_rng(0).integers(0, 256, (TIMED_FRAMES, side, side, 3), dtype=np.uint8)
    encoder = S2(NetworkEncoder.of(options, device))
    encoder.encode(frames[:WARM_UP_FRAMES])
    wait_for(encoder.backend.device)
    start = time.perf_counter()
    encoder.encode(frames)
    wait_for(encoder.backend.device)
    return (time.perf_counter() - start) / TIMED_FRAMES * 1e3
