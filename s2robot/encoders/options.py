"""Options of the frozen encoders."""

from dataclasses import dataclass

from s2robot.config import option


@dataclass
class EncoderConfig:
    """The frozen encoder: which one, and the image sizes (S2) that it sees of each camera."""

    name: str = option("lite0", "a registered encoder or timm/<any timm name>; `s2robot encoders` lists them")
    weights: str | None = option(None, "checkpoint file instead of the encoder's own weights")
    sizes: list[int] = option([224, 448], "side of each scale in pixels")
    camera_sizes: dict[str, list[int]] = option({}, "cameras with sizes of their own")
    output_grid: list[int] | None = option(
        None, "cells [gh,gw] that all scales are pooled to; null: the first scale's"
    )
    camera_grids: dict[str, list[int]] = option({}, "cameras with output grids of their own")
    merge: str = option("concat", "how the scales' channels are merged: concat, add")
    antialias: bool = option(True, "antialias frames when they are resized")
    layer: int | None = option(
        None, "block or stage whose map is taken, negative from the end; null: last at stride 16"
    )
    precision: str = option("float32", "of the arithmetic: float32, float16, bfloat16")
    backend: str = option("auto", "auto (measured once), torch, openvino, compile", speed=True)
