"""Rotations given as quaternions: of another length than 1, signs that jump, sources in another order."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem, counted

QUATERNION = "quat"  # in the name of four numbers that are one
UNIT = 0.02  # by which the length of a quaternion may differ from 1
OPPOSITE = -0.9  # cosine from one row to the next: nearly the same rotation with the other sign
FAR, NEAR = 0.3, 0.1  # of mean quaternions of two sources, as they are stored and in the other order


def quaternions(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """No errors; warnings about proprioception whose key says that it is a quaternion."""
    warnings: list[Problem] = []
    for key in dataset.proprio_keys.values():
        if QUATERNION in key.rpartition("/")[2] and dataset.width(key) == 4:
            rows = dataset.numbers(key)
            for problems in (_no_rotations(dataset, key, rows), _jumps(dataset, key, rows)):
                if found := list(problems):
                    warnings.append(counted(found))
            warnings += _orders(dataset, key, rows)
    return [], warnings


def _no_rotations(dataset: Dataset, key: str, rows: Float[np.ndarray, "n 4"]) -> Iterator[Problem]:
    lengths = np.linalg.norm(rows, axis=1)
    for one, (start, stop) in zip(dataset.records, pairwise(dataset.offsets), strict=True):
        worst = start + int(np.abs(lengths[start:stop] - 1).argmax())
        if abs(lengths[worst] - 1) > UNIT:
            told = f"row {worst - start} is a quaternion of length {lengths[worst]:.3g}, expected 1"
            yield dataset.problem(one, key, told)


def _jumps(dataset: Dataset, key: str, rows: Float[np.ndarray, "n 4"]) -> Iterator[Problem]:
    """q and -q are one rotation, and far apart for a network."""
    jumps = (rows[1:] * rows[:-1]).sum(1) < OPPOSITE
    for one, (start, stop) in zip(dataset.records, pairwise(dataset.offsets), strict=True):
        if count := int(jumps[start : stop - 1].sum()):
            row = 1 + int(jumps[start : stop - 1].argmax())
            told = (
                f"the quaternion changes its sign {count} times without a rotation, first at row {row}: "
                f"a policy sees a jump there; record it with a continuous sign"
            )
            yield dataset.problem(one, key, told)


def _orders(dataset: Dataset, key: str, rows: Float[np.ndarray, "n 4"]) -> Iterator[Problem]:
    """Sources whose quaternions are like the first's only if (x, y, z, w) is read as (w, x, y, z)."""
    first = {one.part: one for one in reversed(dataset.records)}
    parts = np.repeat([one.part for one in dataset.records], np.diff(dataset.offsets))
    means = {part: np.abs(rows[parts == part]).mean(0) for part in first}  # of either sign
    reference, *others = sorted(means)
    for part in others:
        apart = np.linalg.norm(means[part] - means[reference])
        turned = min(np.linalg.norm(np.roll(means[part], by) - means[reference]) for by in (1, -1))
        if apart > FAR and turned < NEAR:
            told = (
                f"its quaternions look like those of {first[reference].recorded.file} in another order, "
                f"(x, y, z, w) beside (w, x, y, z); they are trained on together as they are"
            )
            yield dataset.problem(first[part], key, told)
