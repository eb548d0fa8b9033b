"""What is odd in itself, also where all demonstrations have it and comparing them finds nothing."""

from collections.abc import Iterator

import numpy as np

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.hdf5_arrays import SMALLEST_IMAGE
from s2robot.datasets.problem import Problem, counted

RATE = 0.1  # share by which time stamps may differ from the rate of steps
TIMES = ("timestamp", "timestamps", "time")  # last parts of the keys of time stamps
LEAST_STEPS = 2  # of a demonstration
UNITS = (1, 1e-3, 1e-6, 1e-9)  # of time stamps, in seconds


def oddities(dataset: Dataset) -> Iterator[Problem]:
    """Warnings about episodes, proprioception, time stamps and cameras."""
    yield from _short(dataset)
    for key in dataset.proprio_keys.values():
        yield from _motionless(dataset, key)
    yield from _rates(dataset)
    for camera in dataset.cameras.values():
        if min(camera.size) < SMALLEST_IMAGE:
            told = f"its frames are {camera.size[0]}x{camera.size[1]} pixels; is this an array of images?"
            yield dataset.problem(dataset.records[0], camera.key, told)


def times_of(name: str) -> bool:
    """Whether an array is one of time stamps, by its key."""
    return name.rpartition("/")[2].rpartition(".")[2] in TIMES


def _short(dataset: Dataset) -> Iterator[Problem]:
    short = [one for one, n in zip(dataset.records, dataset.lengths, strict=True) if n < LEAST_STEPS]
    if short:
        told = f"it has a single step, which shows no motion; left in, {len(short)} episodes are so"
        yield dataset.problem(short[0], "", told)


def _motionless(dataset: Dataset, key: str) -> Iterator[Problem]:
    """Proprioception that never changes inside an episode, though the robot acts."""
    low, high = dataset.stored_ranges(key)
    several = np.array(dataset.lengths) >= LEAST_STEPS
    if low.size and several.any() and (low == high)[several].all():
        told = "it is the same in all rows of each episode: was it recorded?"
        yield dataset.problem(dataset.records[0], key, told)


def _rates(dataset: Dataset) -> Iterator[Problem]:
    """Time stamps in HDF5 files that contradict the rate of steps that the file says."""
    if dataset.fps is None:
        return
    for key, found in dataset.keys.arrays.items():
        if not times_of(key) or found.kind != "numbers" or np.prod(found.shape) != 1:
            continue
        odd = []
        for one in dataset.records:
            if key not in one.recorded.arrays or one.recorded.arrays[key].rows < LEAST_STEPS:
                continue
            times = np.asarray(one.source.read(one.number, key), np.float64).reshape(-1)
            step = float(np.median(np.diff(times)))
            if step > 0 and all(abs(step * unit * dataset.fps - 1) > RATE for unit in UNITS):
                told = f"its steps are {step:.4g}, and {dataset.fps:g} steps a second are said"
                odd.append(dataset.problem(one, key, told))
        if odd:
            yield counted(odd)
