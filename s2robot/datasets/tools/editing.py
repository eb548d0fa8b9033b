"""Subsets, splits and merged datasets: chosen episodes written as they are, under a new name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from s2robot.datasets import checks
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.hdf5_output import new_hdf5
from s2robot.datasets.lerobot.conversion import convert as to_lerobot
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import refuse
from s2robot.datasets.robomimic import Robomimic
from s2robot.datasets.robomimic_writer import copy_group, write_masks, write_totals
from s2robot.datasets.source import Source
from s2robot.datasets.splits import split as usual_split
from s2robot.datasets.tools.leniently import open_leniently
from s2robot.datasets.tools.target import LEROBOT, format_of, writing
from s2robot.datasets.tools.view import View, numbers_of
from s2robot.errors import UserError, unknown_name
from s2robot.progress import progress

OF_ANOTHER_FILE = ("total", "collection")  # attributes that are not true of a part of a file
Masks = Mapping[str, Sequence[str]]


@dataclass
class Done:
    """What a tool wrote."""

    episodes: int
    masks: dict[str, int]
    lost: list[str] = field(default_factory=list)  # what is not in the new dataset, a line each


def subset(config: DataConfig, out: Path, chosen: Sequence[str] | str | int, lossless: bool = False) -> Done:
    """Write some episodes: those of these names, of a filter key, or the first n.

    Raises `UserError` for names that are not there, a filter key that is not or is empty, and targets that
    cannot be.
    """
    dataset = _opened(config)
    source = _only(dataset)
    numbers = numbers_of(source)
    if isinstance(chosen, int):
        if chosen < 1:
            raise UserError(f"--first {chosen}: at least one episode is wanted")
        names = list(numbers)[:chosen]
    elif isinstance(chosen, str):
        if chosen not in source.masks:
            raise unknown_name(f"filter key of {source.path}", chosen, source.masks)
        names = [name for name in numbers if name in set(source.masks[chosen])]
    else:
        for name in chosen:
            if name not in numbers:
                raise unknown_name(f"episode of {source.path}", name, numbers)
        names = [name for name in numbers if name in set(chosen)]
    if not names:
        raise UserError(f"{source.path}: no episode is chosen")
    return _write(dataset, [View(source, {numbers[name]: name for name in names})], out, lossless)


def split(config: DataConfig, out: Path, valid: float, seed: int, lossless: bool = False) -> Done:
    """Write a dataset with new filter keys `train` and `valid`, drawn at random; others stay as they are."""
    if not 0 < valid < 1:
        raise UserError(f"--valid {valid:g}: a share of the episodes between 0 and 1 is wanted, e.g. 0.1")
    dataset = _opened(config)
    source = _only(dataset)
    refuse(source.errors)
    names = [episode.name for episode in source.episodes]
    if len(names) < 2:
        raise UserError(f"{source.path} has one episode; two are needed for a split")
    count = min(max(1, round(valid * len(names))), len(names) - 1)
    held_out = set(np.random.default_rng(seed).permutation(len(names))[:count].tolist())
    masks = {
        **source.masks,
        "train": [name for i, name in enumerate(names) if i not in held_out],
        "valid": [name for i, name in enumerate(names) if i in held_out],
    }
    return _write(dataset, [View(source, dict(enumerate(names)), masks)], out, lossless)


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
        names = {i: f"demo_{first + i}" for i in range(len(source.episodes))}
        masks = None
        if any_masks and not source.masks:
            training, held_out = usual_split(source, numbers_of(source), "train", "valid")
            masks = {"train": [names[i] for i in training], "valid": [names[i] for i in held_out]}
        views.append(View(source, names, masks))
        first += len(names)
    return _write(dataset, views, out, lossless)


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


def _write(dataset: Dataset, views: Sequence[View], out: Path, lossless: bool) -> Done:
    inputs = [source.path for source in dataset.sources]
    if (wanted := format_of(out)) != dataset.format:
        raise UserError(
            f"{out} would be of format {wanted}, {dataset.path} is {dataset.format}; "
            f"`s2robot convert` changes the format"
        )
    lost = [] if len(views) == 1 else _differing(views)
    with writing(out, inputs) as scratch:
        if wanted == LEROBOT:
            lost += to_lerobot(Dataset(views, dataset.options), scratch, lossless)
        else:
            lost += _copy(views, scratch)
    masks = _joined(views)
    kept = {key: len(names) for key, names in masks.items() if names}
    lost += [f"filter key {key}: none of its episodes is chosen" for key in masks.keys() - kept.keys()]
    return Done(sum(len(view.episodes) for view in views), kept, lost)


def _copy(views: Sequence[View], scratch: Path) -> list[str]:
    """Write robomimic's format from files of it, every array as it is."""
    lost: list[str] = []
    with new_hdf5(scratch) as (file, check):
        data = file.create_group("data")
        todo = [(view, i) for view in views for i in range(len(view.episodes))]
        for view, i in progress(todo, description="episodes"):
            source = view.source
            assert isinstance(source, Robomimic)
            demo = data.create_group(view.episodes[i].name)
            found = source.group(view.numbers[i])
            lost += [f"left out, {line}" for line in copy_group(found, demo, source.folders)]
            demo.attrs.setdefault("num_samples", len(demo["actions"]))
            check()
        first = views[0].source
        assert isinstance(first, Robomimic)
        attributes = first.attributes
        data.attrs.update({key: value for key, value in attributes.items() if key not in OF_ANOTHER_FILE})
        write_totals(data, first.env_args)
        write_masks(file, _joined(views))
    return lost


def _joined(views: Sequence[View]) -> dict[str, list[str]]:
    masks: dict[str, list[str]] = {}
    for view in views:
        for key, names in view.masks.items():
            masks.setdefault(key, []).extend(names)
    return masks


def _differing(views: Sequence[View]) -> list[str]:
    first = views[0]
    return [
        f"env_args of {view.path}: those of {first.path} are kept, which differ"
        for view in views[1:]
        if view.env_args != first.env_args
    ]
