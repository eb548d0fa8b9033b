"""How often the frames of several datasets are drawn in training."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from s2robot.errors import UserError


def frame_weights(
    weights: Sequence[float],
    parts: Int[np.ndarray, "e"],
    entries: Sequence[int],
    lengths: Sequence[int],
    episodes: Sequence[int],
) -> Float[np.ndarray, "n"]:
    """A weight for each frame so that each dataset's share of the drawn windows is its weight's.

    `parts` is the source of each episode, `entries` the entry of `data.path` of each source; there is a
    weight for each entry, or for each source. Only frames of `episodes` have one above 0. Raises `UserError`
    for another number of weights, and for a weight of a dataset without any of the episodes.
    """
    groups = entries if len(weights) == len(set(entries)) else range(len(entries))
    if len(weights) != len(set(groups)):
        raise UserError(
            f"data.weights has {len(weights)} numbers for {len(set(entries))} entries of data.path "
            f"({len(entries)} datasets)"
        )
    group = np.repeat(np.asarray(groups)[parts], lengths)
    used = np.repeat(np.isin(np.arange(len(parts)), episodes), lengths)
    frames = np.bincount(group[used], minlength=len(weights))
    for number, (weight, count) in enumerate(zip(weights, frames, strict=True)):
        if weight and not count and len(episodes):
            raise UserError(
                f"data.weights[{number}]={weight}: that dataset has no demonstration to draw from"
            )
    return np.where(used, np.asarray(weights, float)[group] / np.maximum(frames, 1)[group], 0.0)
