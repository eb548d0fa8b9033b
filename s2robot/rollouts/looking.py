"""What a policy looks at in a frame, small enough for a file: keypoints, or a map of attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MOST_KEYPOINTS = 24  # those that are least spread
LEVELS = 99  # of a map: the largest weight


@dataclass(frozen=True)
class Look:
    """Of one camera, at one decision."""

    map: Sequence[Sequence[int]]  # "gh gw", 0 to `LEVELS`: the mean weight of each cell
    keypoints: Sequence[
        Sequence[float]
    ]  # "n 3": right and down in [0, 1] of the view, largest weight of a cell


def look(weights: Float[np.ndarray, "k gh gw"], as_keypoints: bool) -> Look:
    """From the weights of each keypoint or query, which sum to one over the cells."""
    mean = weights.mean(0)
    levels = np.round(LEVELS * mean / mean.max()).astype(int)
    if not as_keypoints:
        return Look(levels.tolist(), [])
    _, gh, gw = weights.shape
    right = (weights.sum(1) @ (np.arange(gw) + 0.5)) / gw
    down = (weights.sum(2) @ (np.arange(gh) + 0.5)) / gh
    peak = weights.max((1, 2))
    chosen = np.argsort(-peak, kind="stable")[:MOST_KEYPOINTS]
    points = np.stack([right, down, peak], axis=1)[chosen]
    return Look(levels.tolist(), np.round(points.astype(float), 3).tolist())
