"""Statistics that LeRobot keeps of each episode and of the whole set, computed while rows pass by.

Cameras from histograms of all frames, so the quantiles are exact and no frame is kept. The layout is
LeRobot's: vectors (d,), cameras (3, 1, 1) in [0, 1], `count` (1,).
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
NAMES = ("min", "max", "mean", "std", "count", *QUANTILES)
LARGE, KEPT = 300, 150  # pixels: frames of LARGE and more are sampled down to about KEPT, as LeRobot does

Stats = Mapping[str, np.ndarray]


def of_numbers(values: np.ndarray) -> Stats:
    """Statistics of the rows of a feature, "t ...", over time."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    shape = values.shape[1:] or (1,)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    found |= dict(zip(QUANTILES, np.quantile(rows, list(QUANTILES.values()), axis=0), strict=True))
    return {name: value.reshape(shape) for name, value in found.items()} | {"count": np.array([len(rows)])}


class FrameStats:
    """Statistics of one camera's frames in one episode."""

    def __init__(self) -> None:
        self._histogram = np.zeros((3, 256), np.int64)
        self._frames = 0

    def add(self, frames: UInt8[np.ndarray, "t h w 3"]) -> None:
        longer = max(frames.shape[1:3])
        step = max(1, longer // KEPT) if longer >= LARGE else 1
        sampled = frames[:, ::step, ::step]
        for channel in range(3):
            self._histogram[channel] += np.bincount(sampled[..., channel].ravel(), minlength=256)
        self._frames += len(frames)

    def result(self) -> Stats:
        """Each (3, 1, 1); `count` is the number of frames."""
        levels = np.arange(256) / 255
        pixels = self._histogram.sum(1)[0]
        share = self._histogram / pixels
        mean = share @ levels
        seen = self._histogram > 0
        found = {
            "min": levels[seen.argmax(1)],
            "max": levels[255 - seen[:, ::-1].argmax(1)],
            "mean": mean,
            "std": np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1)),
        }
        below = self._histogram.cumsum(1)
        for name, quantile in QUANTILES.items():
            found[name] = levels[(below > quantile * (pixels - 1)).argmax(1)]
        return {name: value.reshape(3, 1, 1) for name, value in found.items()} | {
            "count": np.array([self._frames])
        }


def merged(one: Stats, other: Stats) -> Stats:
    """Statistics of two parts together; quantiles are LeRobot's envelope: the outermost of the parts'."""
    n, m = int(one["count"][0]), int(other["count"][0])
    share = m / (n + m)
    apart = other["mean"] - one["mean"]
    variance = (1 - share) * one["std"] ** 2 + share * other["std"] ** 2 + share * (1 - share) * apart**2
    found = {
        "min": np.minimum(one["min"], other["min"]),
        "max": np.maximum(one["max"], other["max"]),
        "mean": one["mean"] + share * apart,
        "std": np.sqrt(variance),
        "count": np.array([n + m]),
    }
    for name, quantile in QUANTILES.items():
        outer = np.minimum if quantile <= 0.5 else np.maximum
        found[name] = outer(one[name], other[name])
    return found
