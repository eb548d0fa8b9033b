"""HDF5 files that declare far more than they hold."""

from math import prod
from pathlib import Path

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.hdf5_links import arrays_behind
from s2robot.datasets.hdf5_source import Hdf5Source
from s2robot.datasets.limits import FRAMES_RATIO, MOST_FRAMES, MOST_NUMBERS, NUMBER_BYTES, NUMBERS_RATIO
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import STREAM


def inflated(dataset: Dataset) -> list[Problem]:
    """An error where the used numbers, or a camera's frames, are more than the files can hold."""
    numbers = list(dict.fromkeys([*dataset.action_keys.values(), *dataset.proprio_keys.values()]))
    frames = [camera.key for camera in dataset.cameras.values()]
    return [
        *_fault(dataset, numbers, NUMBER_BYTES, MOST_NUMBERS, NUMBERS_RATIO),
        *_fault(dataset, frames, 1, MOST_FRAMES, FRAMES_RATIO),
    ]


def _fault(dataset: Dataset, keys: list[str], item_bytes: int, free: int, ratio: int) -> list[Problem]:
    declared = 0
    largest = (0, dataset.records[0], "")
    for one in dataset.records:
        for key in keys:
            found = one.recorded.arrays.get(key)
            if found is None or found.note == STREAM or not isinstance(one.source, Hdf5Source):
                continue
            size = found.rows * prod(found.shape) * item_bytes
            declared += size
            largest = max(largest, (size, one, key), key=lambda entry: entry[0])
    if declared <= free:
        return []
    held = sum(file.stat().st_size for file in _files(dataset, keys))
    if declared <= ratio * held:
        return []
    _, one, key = largest
    others = ", ".join(other for other in keys if other != key)
    problem = (
        f"all rows of it{' and ' if others else ''}{others} declare {declared / 2**30:.4g} GiB and the files "
        f"have {held / 2**30:.2g} GiB; nobody recorded that, the file is damaged or made to exhaust memory"
    )
    return [dataset.problem(one, key, problem)]


def _files(dataset: Dataset, keys: list[str]) -> set[Path]:
    """The files that hold these arrays, through all links and virtual arrays."""
    files = set[Path]()
    for one in dataset.records:
        if isinstance(one.source, Hdf5Source):
            files.add(one.recorded.file)
            group = one.source.group(one.number)
            there = [key for key in keys if key in one.recorded.arrays]
            files |= {file for key in there for file, _ in arrays_behind(group, key, one.source.folders)}
    return {file.resolve() for file in files}
