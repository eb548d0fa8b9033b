"""Draw docs/images/s2.png: what S2 makes of one real frame of PickCube.

    python docs/draw_s2.py

Colours are the first three principal components of a scale's features over the cells of this frame.
"""

from pathlib import Path

import gymnasium
import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch, Rectangle
from torch import Tensor

import envs
from s2robot.encoders import make_encoder

OUT = Path(__file__).parent / "images" / "s2.png"
ENV, CAMERA, SEED, STEPS = "s2robot/PickCube-v0", "agentview", 3, 8
SIZES, TILE = (224, 448), 224
EDGE = "#d9480f"


def real_frame() -> UInt8[np.ndarray, "448 448 3"]:
    """A frame of the scripted expert's episode, some steps after its start."""
    env = gymnasium.make(ENV)
    expert = envs.make_expert(ENV, seed=SEED)
    obs, _ = env.reset(seed=SEED)
    for _ in range(STEPS):
        obs, *_ = env.step(expert(env))
    env.close()
    return obs[f"{CAMERA}_image"]


def colours(maps: Float[Tensor, "c gh gw"], axes: Tensor | None = None) -> tuple[np.ndarray, Tensor]:
    """A map's first three principal components as RGB, and the components."""
    cells = maps.flatten(1).T
    cells = cells - cells.mean(0)
    if axes is None:
        axes = torch.linalg.svd(cells, full_matrices=False).Vh[:3].T  # c 3
    rgb = cells @ axes
    low, high = rgb.quantile(0.02, dim=0), rgb.quantile(0.98, dim=0)
    return ((rgb - low) / (high - low)).clamp(0, 1).view(*maps.shape[1:], 3).numpy(), axes


def show(axes: Axes, image: np.ndarray, title: str, below: str = "") -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(below, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def arrow(start: Axes, end: Axes, text: str = "", height: float = 0.5) -> None:
    """From the right edge of one picture to the left edge of another, at `height` of that one."""
    patch = ConnectionPatch(
        (1.02, 0.5),
        (-0.02, height),
        coordsA=start.transAxes,
        coordsB=end.transAxes,
        arrowstyle="-|>",
        color="#444",
    )
    start.figure.add_artist(patch)
    start.annotate(text, (1.13, 0.53), xycoords="axes fraction", ha="center", fontsize=8, color="#444")


def draw(frame: UInt8[np.ndarray, "448 448 3"]) -> None:
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 4, figsize=(11, 6.2), width_ratios=(1, 1, 1, 1))
    figure.subplots_adjust(left=0.01, right=0.99, top=0.93, bottom=0.06, wspace=0.3, hspace=0.28)
    maps = {size: make_encoder("lite0", (size,), device="cpu").encode(frame[None]).map[0] for size in SIZES}
    small = F.interpolate(
        torch.from_numpy(frame).permute(2, 0, 1)[None].float(), (224, 224), mode="bicubic", antialias=True
    )
    pixels = {224: small[0].permute(1, 2, 0).clamp(0, 255).byte().numpy(), 448: frame}
    for row, size in zip(grid, SIZES, strict=True):
        n = size // TILE
        cells = maps[size].shape[1]
        coloured, components = colours(maps[size])
        pooled = F.interpolate(maps[size][None], (14, 14), mode="area")[0]
        native = ", the camera's own pixels" if size == 448 else ""
        show(
            row[0],
            pixels[size],
            f"scale {size}: {n * n} tile{'s' if n > 1 else ''}",
            f"{size}x{size}{native}",
        )
        for i in range(n):
            for j in range(n):
                corner = (j * TILE - 0.5, i * TILE - 0.5)
                row[0].add_patch(Rectangle(corner, TILE, TILE, fill=False, edgecolor=EDGE, linewidth=2))
        show(
            row[1],
            coloured,
            "its tiles' features, merged" if n > 1 else "its features",
            f"112 x {cells}x{cells}",
        )
        show(row[2], colours(pooled, components)[0], "on one grid", "112 x 14x14")
        arrow(row[0], row[1], "frozen\nencoder")
        arrow(row[1], row[2], "area\npooling" if n > 1 else "as it is")
    for axes in grid[:, 3]:
        axes.remove()
    last = figure.add_subplot(grid[0, 3].get_gridspec()[:, 3])
    both = torch.cat([F.interpolate(m[None], (14, 14), mode="area")[0] for m in maps.values()])
    both = both / both.flatten(1).std(1).clamp(min=1e-6)[:, None, None]
    show(last, colours(both)[0], "S2: both, concatenated", "224 x 14x14: what a policy reads")
    for row, height in zip(grid, (0.7, 0.3), strict=True):
        arrow(row[2], last, height=height)
    OUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUT, dpi=100)


if __name__ == "__main__":
    matplotlib.use("Agg")
    draw(real_frame())
    print(f"wrote {OUT}, {OUT.stat().st_size / 1e3:.0f} kB")
