"""Chosen episodes as a new dataset, as they are: robomimic's arrays, LeRobot's columns and videos."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.hdf5_output import new_hdf5
from s2robot.datasets.lerobot import copying as lerobot_copying
from s2robot.datasets.lerobot.conversion import convert as to_lerobot
from s2robot.datasets.lerobot.source import LeRobot
from s2robot.datasets.lerobot.stated import episode_name
from s2robot.datasets.robomimic import Robomimic
from s2robot.datasets.robomimic_writer import copy_group, write_masks, write_totals
from s2robot.datasets.tools.target import LEROBOT, format_of, writing
from s2robot.datasets.tools.view import View
from s2robot.errors import UserError
from s2robot.progress import progress

OF_ANOTHER_FILE = ("total", "collection")  # attributes that are not true of a part of a file


@dataclass
class Done:
    """What a tool wrote."""

    episodes: int
    masks: dict[str, int]
    lost: list[str] = field(default_factory=list)  # what is not in the new dataset, a line each
    warnings: list[str] = field(default_factory=list)  # what is unusual in the inputs


def write(dataset: Dataset, views: Sequence[View], out: Path, lossless: bool) -> Done:
    """Write the episodes of these views at `out`, a name of the same format.

    `lossless` matters only for LeRobot folders whose videos must be encoded anew. Raises `UserError` for
    targets that cannot be.
    """
    inputs = [source.path for source in dataset.sources]
    if (wanted := format_of(out)) != dataset.format:
        raise UserError(
            f"{out} would be of format {wanted}, {dataset.path} is {dataset.format}; "
            f"`s2robot convert` changes the format"
        )
    lost = [] if len(views) == 1 else _differing(views)
    with writing(out, inputs) as scratch:
        if wanted == LEROBOT:
            lost += copy_lerobot(dataset, views, scratch, lossless)
        else:
            lost += _not_applied(dataset) + _copy(views, scratch, next(iter(dataset.action_keys.values())))
    masks = _joined(views)
    kept = {key: len(names) for key, names in masks.items() if names}
    lost += [f"filter key {key}: none of its episodes is chosen" for key in masks.keys() - kept.keys()]
    return Done(sum(len(view.episodes) for view in views), kept, lost)


def _copy(views: Sequence[View], scratch: Path, actions: str) -> list[str]:
    """Write robomimic's format from files of it, every array as it is; `actions` have a row for each step."""
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
            demo.attrs["num_samples"] = view.episodes[i].arrays[actions].rows  # whatever the source said
            check()
        first = views[0].source
        assert isinstance(first, Robomimic)
        attributes = first.attributes
        data.attrs.update({key: value for key, value in attributes.items() if key not in OF_ANOTHER_FILE})
        write_totals(data, first.env_args)
        write_masks(file, _joined(views))
    return lost


def copy_lerobot(dataset: Dataset, views: Sequence[View], scratch: Path, lossless: bool) -> list[str]:
    """Write a LeRobot folder from others: encoded frames as they are, or else anew."""
    chosen = _chosen(views)
    if not lerobot_copying.can_copy(chosen):
        return to_lerobot(Dataset(views, dataset.options), scratch, lossless)
    names = [(id(view), episode.name) for view in views for episode in view.episodes]
    new = {once: episode_name(i) for i, once in enumerate(names)}
    masks: dict[str, list[str]] = {}
    for view in views:
        for key, members in view.masks.items():
            kept = [new[id(view), name] for name in members if (id(view), name) in new]
            masks.setdefault(key, []).extend(kept)
    chosen_masks = {key: members for key, members in masks.items() if members}
    return _not_applied(dataset) + lerobot_copying.copy(chosen, scratch, chosen_masks)


def _chosen(views: Sequence[View]) -> list[tuple[LeRobot, int]]:
    """The episodes of views of LeRobot folders, by their numbers there."""
    chosen: list[tuple[LeRobot, int]] = []
    for view in views:
        assert isinstance(view.source, LeRobot)
        chosen += [(view.source, i) for i in view.numbers]
    return chosen


def _joined(views: Sequence[View]) -> dict[str, list[str]]:
    masks: dict[str, list[str]] = {}
    for view in views:
        for key, names in view.masks.items():
            masks.setdefault(key, []).extend(names)
    return masks


def _not_applied(dataset: Dataset) -> list[str]:
    """A line for options that choose arrays, which are copied as they are."""
    options = ("cameras", "proprio", "actions", "orientation")
    given = [f"data.{name}" for name in options if getattr(dataset.options, name) not in (None, [])]
    if not given:
        return []
    return [f"nothing is chosen by {', '.join(given)}: arrays are copied as they are; see `s2robot convert`"]


def _differing(views: Sequence[View]) -> list[str]:
    first = views[0]
    return [
        f"env_args of {view.path}: those of {first.path} are kept, which differ"
        for view in views[1:]
        if view.env_args != first.env_args
    ]
