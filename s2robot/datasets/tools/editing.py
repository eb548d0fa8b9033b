"""Subsets, splits and merged datasets: chosen episodes written as they are, under a new name."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from s2robot.datasets import checks
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import refuse
from s2robot.datasets.source import Source
from s2robot.datasets.splits import split as usual_split
from s2robot.datasets.tools.leniently import open_leniently
from s2robot.datasets.tools.view import View, numbers_of
from s2robot.datasets.tools.writing import Done, write
from s2robot.errors import UserError, unknown_name


def subset(config: DataConfig, out: Path, chosen: Sequence[str] | str | int, lossless: bool = False) -> Done:
    """Write some episodes: those of these names, of a filter key, or the first n.

    Raises `UserError` for names that are not there, a filter key that is not or is empty, and targets that
    cannot be.
    """
    dataset = _opened(config)
    source = _only(dataset)
    numbers = _of_task(dataset, source)
    if isinstance(chosen, int):
        if chosen < 1:
            raise UserError(f"--first {chosen}: at least one episode is wanted")
        names = list(numbers)[:chosen]
    elif isinstance(chosen, str):
        if chosen not in source.masks:
            raise unknown_name("filter key", chosen, source.masks, source.path)
        names = [name for name in numbers if name in set(source.masks[chosen])]
    else:
        wanted = _names_in(chosen, numbers, source)
        names = [name for name in numbers if name in wanted]
    if not names:
        raise UserError(f"{source.path}: no episode is chosen")
    return write(dataset, [View(source, {numbers[name]: name for name in names})], out, lossless)


def _names_in(words: Sequence[str], known: Collection[str], source: Source) -> set[str]:
    """The names that words between commas are; a name may hold commas itself."""
    names, words = set(), list(words)
    while words:
        joined = (",".join(words[:count]) for count in range(len(words), 0, -1))
        name = next((one for one in joined if one in known), None)
        if name is None:
            raise unknown_name("episode", words[0], known, source.path)
        names.add(name)
        del words[: name.count(",") + 1]
    return names


def split(config: DataConfig, out: Path, valid: float, seed: int, lossless: bool = False) -> Done:
    """Write a dataset with new filter keys `train` and `valid`, drawn at random; others stay as they are."""
    if not 0 < valid < 1:
        raise UserError(f"--valid {valid:g}: a share of the episodes between 0 and 1 is wanted, e.g. 0.1")
    dataset = _opened(config)
    source = _only(dataset)
    refuse(source.errors)
    numbers = _of_task(dataset, source)
    names = list(numbers)
    if len(names) < 2:
        raise UserError(f"{source.path} has one episode; two are needed for a split")
    count = min(max(1, round(valid * len(names))), len(names) - 1)
    held_out = set(np.random.default_rng(seed).permutation(len(names))[:count].tolist())
    left_out = numbers_of(source).keys() - numbers.keys()
    masks = {
        **{key: [name for name in old if name not in left_out] for key, old in source.masks.items()},
        "train": [name for i, name in enumerate(names) if i not in held_out],
        "valid": [name for i, name in enumerate(names) if i in held_out],
    }
    return write(dataset, [View(source, {numbers[name]: name for name in names}, masks)], out, lossless)


def merge(config: DataConfig, out: Path, lossless: bool = False) -> Done:
    """Write several datasets of one format as one, its episodes numbered anew.

    Raises `UserError` when their arrays, rates or environments do not fit together. Where some have filter
    keys and others none, those have every tenth episode for validation, as training would.
    """
    dataset = _opened(config)
    if len(dataset.sources) < 2:
        raise UserError(f"{dataset.path} is one dataset; name at least two")
    refuse([error for source in dataset.sources for error in source.errors])
    refuse(checks.structure(dataset)[0])
    _fit(dataset.sources)
    any_masks = any(source.masks for source in dataset.sources)
    views: list[View] = []
    first = 0
    for source in dataset.sources:
        kept = _of_task(dataset, source)
        if not kept:
            continue
        names = {number: f"demo_{first + i}" for i, number in enumerate(kept.values())}
        masks = None
        if any_masks and not source.masks:
            training, held_out = usual_split(source, kept, "train", "valid")
            masks = {"train": [names[i] for i in training], "valid": [names[i] for i in held_out]}
        views.append(View(source, names, masks))
        first += len(names)
    return write(dataset, views, out, lossless)


def _of_task(dataset: Dataset, source: Source) -> dict[str, int]:
    """Number of each episode of a source by its name, of those of `data.task`."""
    task, numbers = dataset.options.task, numbers_of(source)
    return {name: i for name, i in numbers.items() if task is None or task in source.episodes[i].tasks}


def _opened(config: DataConfig) -> Dataset:
    return open_leniently(config)[0]


def _only(dataset: Dataset) -> Source:
    if len(dataset.sources) > 1:
        raise UserError(f"{dataset.options.path} are {len(dataset.sources)} datasets; merge them first")
    return dataset.source


def _fit(sources: Sequence[Source]) -> None:
    """Raise `UserError` unless all were recorded at one rate in one environment."""
    first = sources[0]
    for source in sources[1:]:
        for what, mine, others in (
            ("frames a second", source.fps, first.fps),
            ("environment", (source.env_args or {}).get("env_name"), (first.env_args or {}).get("env_name")),
        ):
            if mine != others:
                raise UserError(
                    f"{what}: {others} in {first.path}, {mine} in {source.path}; these do not fit"
                )
