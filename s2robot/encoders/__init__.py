"""Frozen image encoders, each of them with S2 around it.

Their names are here without PyTorch; what they are made of is imported with the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2robot.encoders.entries import ENCODERS
from s2robot.encoders.options import EncoderConfig

if TYPE_CHECKING:
    import torch

    from s2robot.encoders.s2 import S2

__all__ = ["ENCODERS", "EncoderConfig", "make_encoder"]


def make_encoder(
    name: str,
    sizes: Sequence[int] | None = None,
    weights: str | Path | None = None,
    backend: str = EncoderConfig.backend,
    device: str | torch.device | None = None,
    **options: Any,
) -> S2:
    """The frozen encoder `name` of `ENCODERS` that sees frames at `sizes` (side in pixels of each scale).

    `device` is the GPU where there is one unless given. `options` are the other fields of `EncoderConfig`,
    which says what each means. Raises UserError in one line for names, files and sizes that do not fit.
    """
    from s2robot.encoders.network import NetworkEncoder
    from s2robot.encoders.s2 import S2

    chosen = EncoderConfig.of(name=name, sizes=sizes, weights=weights, backend=backend, **options)
    encoder = S2(NetworkEncoder.of(chosen, device))
    encoder.warn_of_whole_scales()
    return encoder
