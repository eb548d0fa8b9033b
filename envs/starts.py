"""Where objects start: random points in areas, or in bands around them that no demonstration has seen."""

from collections.abc import Sequence

import numpy as np

AROUND = 1.3  # a band reaches this much farther from the middle than its area

Area = tuple[Sequence[float], Sequence[float]]  # centre and size, m


def points_apart(
    rng: np.random.Generator, areas: Sequence[Area], distance_m: float, around: bool = False
) -> np.ndarray:
    """One random point (2,) m in each area, any two at least `distance_m` apart; (n, 2).

    With `around`, each lies in the area or the band around it, and the first one in its band.
    """
    centres, sizes = np.array([area[0] for area in areas]), np.array([area[1] for area in areas])
    while True:
        points = centres + rng.uniform(-0.5, 0.5, centres.shape) * sizes * (AROUND if around else 1.0)
        if around and (np.abs(points[0] - centres[0]) <= sizes[0] / 2).all():
            continue
        between = np.linalg.norm(points[:, None] - points[None], axis=-1)
        if (between[np.triu_indices(len(points), 1)] >= distance_m).all():
            return points
