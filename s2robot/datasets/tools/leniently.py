"""Opening datasets that training would refuse, to say what they hold and what is wrong with them."""

from dataclasses import replace
from typing import Any

from s2robot.datasets import checks
from s2robot.datasets.agreement import usual_arrays
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.formats import open_sources
from s2robot.datasets.keys import Keys
from s2robot.datasets.options import DataConfig
from s2robot.datasets.presets import preset_of
from s2robot.datasets.problem import Problem, told_by
from s2robot.datasets.source import Source
from s2robot.datasets.tools.view import View
from s2robot.errors import UserError


def open_leniently(config: DataConfig) -> tuple[Dataset, list[Problem]]:
    """A dataset that may be faulty and need have no camera and no usual proprioception, which is a warning.

    Raises `UserError` where nothing can be said of it: no dataset, no episode, actions that are not known.
    """
    sources, entries = open_sources(config)
    for source in sources:
        if not source.episodes:
            raise UserError(f"{source.path}: no episode can be used; {source.errors[0]}")
    arrays = usual_arrays(episode for source in sources for episode in source.episodes)
    keys = Keys(sources[0], preset_of(sources[0]), arrays)
    warnings = []
    none: dict[str, Any] = {}
    actions = keys.actions(config.actions).values()
    checked = {"cameras": keys.cameras, "proprio": lambda chosen: keys.proprio(chosen, actions)}
    for name, check in checked.items():
        try:
            check(getattr(config, name))
        except UserError as error:
            if getattr(config, name) is not None:
                raise
            warnings.append(_told(error, sources[0]))
            none[name] = []
    dataset = Dataset(sources, replace(config, **none), entries)
    dataset.warnings += [warning for source in sources for warning in source.warnings]
    return dataset, warnings


def unclear_cameras(dataset: Dataset, config: DataConfig) -> list[Problem]:
    """An error where there are frames and none is in use, as no one said which to use."""
    frames = any(one.kind == "frames" for one in dataset.keys.arrays.values())
    if config.cameras is not None or dataset.cameras or not frames:
        return []
    try:
        dataset.keys.cameras(None)
    except UserError as error:
        return [_told(error, dataset.source)]
    return []


def _told(error: UserError, source: Source) -> Problem:
    return told_by(error, source.path, "", "")


def structural_errors(dataset: Dataset) -> list[Problem]:
    """What cannot be used of the episodes, as their files declare their arrays."""
    unusable = [error for source in dataset.sources for error in source.errors]
    return unusable + checks.structure(dataset)[0]


def without(dataset: Dataset, faulty: list[Problem]) -> Dataset | None:
    """The dataset without the episodes that are at fault; None when none is left."""
    names = {(problem.file, problem.episode) for problem in faulty}
    views = [_healthy(source, names) for source in dataset.sources]
    left: list[Source] = [view for view in views if view.episodes]
    return Dataset(left, dataset.options) if left else None


def _healthy(source: Source, faulty: set[tuple[str, str]]) -> View:
    kept = {i: one.name for i, one in enumerate(source.episodes) if (str(one.file), one.name) not in faulty}
    return View(source, kept)
