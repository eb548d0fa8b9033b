"""Frozen image encoders, each of them with S2 around it."""

from collections.abc import Sequence
from pathlib import Path

import torch

from s2robot.encoders.base import Encoder, EncoderSpec, Features
from s2robot.encoders.multiscale import S2, S2Spec
from s2robot.encoders.network import Architecture, NetworkEncoder, Pretrained
from s2robot.encoders.packaged import LITE0, LITE2
from s2robot.encoders.robotics import ROBOTICS
from s2robot.encoders.timm import PRESETS, any_timm
from s2robot.registry import Registry


class EncoderRegistry(Registry[Architecture]):
    """The encoders by name; besides those listed, `timm/<name>` is any of timm's."""

    def missing(self, name: str) -> Architecture:
        if name.startswith("timm/"):
            return any_timm(name)
        return super().missing(name)


ENCODERS = EncoderRegistry("encoder")
_entries: list[Architecture] = [LITE0, LITE2, *PRESETS, *ROBOTICS]
for entry in _entries:
    ENCODERS[entry.name] = entry


def make_encoder(
    name: str,
    sizes: Sequence[int] = (224, 448),
    weights: str | Path | None = None,
    backend: str = "auto",
    device: str | torch.device | None = None,
    *,
    precision: str = "float32",
    antialias: bool = True,
    merge: str = "concat",
    output_grid: tuple[int, int] | None = None,
    layer: int | None = None,
    max_tiles: int | None = None,
) -> S2:
    """The frozen encoder `name` of `ENCODERS` looking at `sizes` (side in pixels of each scale).

    `weights`: a checkpoint file instead of the encoder's own weights. `backend`: "torch", "openvino",
    "compile", or "auto", the fastest (see `s2robot.encoders.backends`). `precision`: "float32", or "float16"
    and "bfloat16", faster on GPUs and some thousandths off, so they are other features to a store. `merge`:
    "concat" the scales' channels or "add" them. `output_grid`: cells (gh, gw), the first scale's unless
    given. `layer`: the block or stage whose map is taken (negative from the end), the last one at a stride
    of 16 unless given. `max_tiles`: of one batch, the memory budget. Raises UserError in one line for names,
    files and sizes that do not fit.
    """
    base = NetworkEncoder(ENCODERS[name](weights, layer), backend, device, precision, max_tiles)
    return S2(base, sizes, antialias, merge, output_grid)


__all__ = [
    "ENCODERS",
    "S2",
    "Architecture",
    "Encoder",
    "EncoderSpec",
    "Features",
    "NetworkEncoder",
    "Pretrained",
    "S2Spec",
    "make_encoder",
]
