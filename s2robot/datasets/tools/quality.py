"""What makes demonstrations worth less although they can be read: checks of numbers, none of frames."""

from collections.abc import Iterator, Set
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.problem import Problem, told_by
from s2robot.datasets.source import HasVideos
from s2robot.datasets.tools.oddities import times_of
from s2robot.errors import UserError
from s2robot.progress import progress

CONTINUOUS = 10  # different values of a dimension that is no switch (a gripper's commands are few)
CLIPPED = 0.1  # share of all rows that are exactly at one end of a dimension's range
STILL_STEPS = 10  # an episode of at least so many actions does something
UNEVEN = 1.5  # times the usual step


def unreadable(dataset: Dataset) -> Iterator[Problem]:
    """Errors: arrays that training would leave alone, as nothing can be read of them."""
    used = {*dataset.action_keys.values(), *dataset.proprio_keys.values()}
    used |= {camera.key for camera in dataset.cameras.values()}
    for one in dataset.records:
        for key, found in one.recorded.arrays.items():
            no_link = not found.dtype  # dead, or to where nothing may be read
            if found.kind == "other" and key not in used and (no_link or found.broken):
                yield dataset.problem(one, key, found.note)


def ends_of_videos(dataset: Dataset, shown: bool = True) -> Iterator[Problem]:
    """Errors: videos whose last row has no frame; only that is decoded."""
    used = {camera.key for camera in dataset.cameras.values()}
    for source in dataset.sources:
        if not isinstance(source, HasVideos):
            continue
        ends = [(i, key) for i, key in source.ends() if key in used]
        for i, key in progress(ends, description="ends of videos") if shown and ends else ends:
            episode = source.episodes[i]
            found = episode.arrays.get(key)
            if found is None or found.kind != "frames" or not found.rows:
                continue  # which other checks tell
            try:
                source.read(i, key, found.rows - 1, found.rows)
            except UserError as error:
                yield told_by(error, episode.file, episode.name, key)


def bad_numbers(dataset: Dataset, among: Set[tuple[str, str]] | None = None) -> Iterator[Problem]:
    """Errors: used arrays of numbers that cannot be read or are not finite, one by one.

    Only those of the episodes `among` (file, name), unless it is None.
    """
    used = dict.fromkeys([*dataset.action_keys.values(), *dataset.proprio_keys.values()])
    for one in dataset.records:
        if among is not None and (str(one.recorded.file), one.recorded.name) not in among:
            continue
        for key in used:
            found = one.recorded.arrays.get(key)
            if found is not None and found.kind == "numbers" and (told := _fault(one, key, found.rows)):
                yield dataset.problem(one, key, told)


def _fault(one: Episode, key: str, rows: int) -> str:
    try:
        values = np.asarray(one.source.read(one.number, key), np.float64)
    except UserError as error:
        return told_by(error, one.recorded.file, one.recorded.name, key).problem
    if not values.size:
        return ""
    bad = np.argwhere(~np.isfinite(values.reshape(rows, -1)))
    return f"row {bad[0][0]}, column {bad[0][1]} is no finite number" if len(bad) else ""


def actions(dataset: Dataset) -> Iterator[Problem]:
    """Warnings: dimensions that never change or are cut off at their ends, episodes that stand still."""
    values = dataset.actions()
    key, first = ", ".join(dataset.action_keys.values()), dataset.records[0]
    low, high = values.min(0), values.max(0)
    for column in range(values.shape[1]):
        of_it = values[:, column]
        if low[column] == high[column]:
            yield dataset.problem(
                first, key, f"column {column} is {low[column]:.4g} in every row of the dataset"
            )
            continue
        if len(np.unique(of_it)) <= CONTINUOUS:
            continue
        for limit in (low[column], high[column]):
            at_it = of_it == limit
            share = float(np.mean(at_it[1:] & at_it[:-1]))  # one row at a limit is only the farthest
            if share > CLIPPED:
                told = f"column {column} is exactly {limit:.4g} in {share:.0%} of all rows: it may be clipped"
                yield dataset.problem(first, key, told)
    for one, (start, stop) in zip(dataset.records, pairwise(dataset.offsets), strict=True):
        if stop - start >= STILL_STEPS and (values[start:stop] == values[start]).all():
            yield dataset.problem(one, key, f"its {stop - start} actions are all the same")


def duplicates(dataset: Dataset) -> Iterator[Problem]:
    """Warnings: episodes with the numbers of an earlier one, also when both a training and a validation
    filter key would hold it."""
    parts = [dataset.actions(), *dataset.proprioception().values()]
    seen: dict[bytes, str] = {}
    training, validation = (
        {dataset.episodes[i] for i in numbers}
        for numbers in dataset.splits(*(key if _has(dataset, key) else None for key in ("train", "valid")))
    )
    for one, (start, stop) in zip(dataset.records, pairwise(dataset.offsets), strict=True):
        digest = blake2b(digest_size=16)
        for values in parts:
            digest.update(np.ascontiguousarray(values[start:stop]).tobytes())
        earlier = seen.setdefault(digest.digest(), one.name)
        if earlier == one.name:
            continue
        split = {earlier, one.name}
        leak = (
            "; one is for training, the other for validation"
            if split & training and split & validation
            else ""
        )
        yield dataset.problem(
            one, "", f"it is a copy of {earlier}: the same actions and proprioception{leak}"
        )


def time_stamps(dataset: Dataset) -> Iterator[tuple[bool, Problem]]:
    """Time stamps kept as arrays: whether it is an error (they fall, or are not finite), and the problem."""
    for one in dataset.records:
        for key, found in one.recorded.arrays.items():
            if found.kind != "numbers" or np.prod(found.shape) != 1 or found.rows < 3:
                continue
            if not times_of(key):
                continue
            times = np.asarray(one.source.read(one.number, key), np.float64).reshape(-1)
            steps = np.diff(times)
            if not np.isfinite(times).all() or (steps < 0).any():
                bad = int(np.flatnonzero(~(steps >= 0))[0]) + 1
                told = f"row {bad} is {times[bad]:.6g} after {times[bad - 1]:.6g}; time stamps rise"
                yield True, dataset.problem(one, key, told)
            elif steps.max() > UNEVEN * (usual := float(np.median(steps))):
                worst = int(steps.argmax())
                told = f"steps of {usual:.4g} usually, one of {steps[worst]:.4g} before row {worst + 1}"
                yield False, dataset.problem(one, key, told)


def _has(dataset: Dataset, filter_key: str) -> bool:
    """Whether `Dataset.splits` can be asked for this filter key."""
    return all(not source.masks or filter_key in source.masks for source in dataset.sources)
