"""Opening a dataset: its options as they were given, its files, and their checks."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2robot.config import as_declared
from s2robot.datasets.formats import open_sources
from s2robot.datasets.options import DataConfig, keys_as_text
from s2robot.datasets.problem import refuse
from s2robot.errors import unknown_name

if TYPE_CHECKING:
    from s2robot.datasets.dataset import Dataset

KEYS = ("cameras", "proprio", "actions")  # options that keys are given for
Paths = str | Path | Sequence[str | Path]


def open_dataset(path: Paths | DataConfig, **options: Any) -> "Dataset":
    """The dataset of a file, a folder, a glob or a list of these, checked; or of a whole `DataConfig`.

    `options` are fields of `DataConfig`. Raises `UserError` in one line for what is not there, of another
    format, or wrong in an array that is used; what is only unusual is in the dataset's `warnings`.
    """
    from s2robot.datasets import checks  # with NumPy, which listing the options does without
    from s2robot.datasets.dataset import Dataset

    config = config_of(path, options)
    sources, entries = open_sources(config)
    refuse([error for source in sources for error in source.errors])
    dataset = Dataset(sources, config, entries)
    for source in sources:
        dataset.warnings += source.warnings
    for errors, warnings in checks.all_of(dataset):
        refuse(errors)
        dataset.warnings += warnings
    return dataset


def config_of(path: Paths | DataConfig, options: dict[str, Any]) -> DataConfig:
    """The checked options of a dataset at a path. Raises `UserError` for an unknown one."""
    known = {field.name for field in fields(DataConfig)}
    if unknown := sorted(options.keys() - known):
        raise unknown_name("option of a dataset", unknown[0], known)
    options = as_declared(DataConfig, options, "data.")
    if isinstance(path, DataConfig):
        config = replace(path, **options)
    else:
        config = DataConfig(path=_words(path), **options)
    config.check()
    chosen: dict[str, Any] = {name: keys_as_text(getattr(config, name)) for name in KEYS}
    return replace(config, **chosen)


def _words(path: Any) -> Any:
    """Paths as text; what is no path stays as it is, for the check of the options."""
    if isinstance(path, list | tuple):
        return [_words(one) for one in path]
    return str(path) if isinstance(path, Path) else path
