"""Checks of filter keys (`mask/<key>`): absent names, empty ones, training and validation that overlap."""

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem
from s2robot.errors import number_of

SHOWN = 3  # names in a message


def masks(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors (there are none) and warnings about the filter keys of every source."""
    train, valid = dataset.options.train, dataset.options.valid
    warnings: list[Problem] = []
    for source in dataset.sources:
        names = {episode.name for episode in source.episodes}
        for key, members in source.masks.items():
            if absent := [name for name in members if name not in names]:
                problem = f"not there, of the demonstrations that it names: {_few(absent)}"
                warnings.append(Problem(problem, str(source.path), key=f"mask/{key}"))
            if not members:
                warnings.append(Problem("it names no demonstration", str(source.path), key=f"mask/{key}"))
        usual = train == type(dataset.options).train  # another one was asked for, and is refused
        if usual and source.masks and train not in source.masks:
            problem = (
                f"it is not there, training needs it: choose with data.train from "
                f"{', '.join(sorted(source.masks))}, or data.train=null for all"
            )
            warnings.append(Problem(problem, str(source.path), key=f"mask/{train}"))
        if train is None or valid is None or train == valid or train not in source.masks:
            continue
        problem = ""
        if valid not in source.masks:
            problem = (
                f"it is not there: every tenth demonstration of mask/{train} is held out for validation, the "
                f"last one of fewer than ten"
            )
        elif both := sorted(set(source.masks[train]) & set(source.masks[valid])):
            problem = (
                f"{number_of(len(both), 'demonstration')} of it also in mask/{train}: {_few(both)}; "
                f"the validation error will be too small"
            )
        if problem:
            warnings.append(Problem(problem, str(source.path), key=f"mask/{valid}"))
    return [], warnings


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
