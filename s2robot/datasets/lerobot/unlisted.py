"""Data files on disk that no episode of the metadata names: they may be episodes that were forgotten."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from s2robot.datasets.lerobot.files import Folder
from s2robot.datasets.lerobot.info import INFO
from s2robot.datasets.natural import natural
from s2robot.datasets.problem import Problem
from s2robot.errors import UserError, number_of

SUFFIX = ".parquet"


def unlisted(folder: Folder, data_path: str, named: Collection[Path], listing: str) -> Iterator[Problem]:
    """A warning about the first of them; each folder is listed once, links to elsewhere are not followed.

    `data_path`: the template of their names, `named` by the metadata, which are in `listing`.
    """
    known = set(map(str, named))
    top = folder.root / data_path.split("{")[0].rpartition("/")[0]
    chunks = dict.fromkeys([*_inside(folder, top), *(path.parent for path in named)])
    others = [path for chunk in chunks for path in _entries(chunk, SUFFIX) if path not in known]
    if others:
        first, more = min(others, key=natural), number_of(len(others) - 1, "more file")
        told = f"left out: {listing} has no episode in this file{f' (nor in {more})' if others[1:] else ''}"
        yield Problem(f"{told}; expected all data files there, is it older than these?", first)


def _inside(folder: Folder, top: Path) -> Iterator[Path]:
    """The folder that a template begins with and those directly in it, as far as they are in the set."""
    if top == folder.root:  # whose other folders are not for data
        return
    for path in (top, *map(Path, _entries(top, ""))):
        try:
            folder.inside(str(path.relative_to(folder.root)), INFO)
        except (UserError, ValueError):  # outside; no episode is there
            continue
        yield path


def _entries(folder: Path, suffix: str) -> list[str]:
    """Paths in a folder, none of what is no folder: with a suffix its files, else its folders."""
    try:
        with os.scandir(folder) as entries:
            return [
                entry.path
                for entry in entries
                if entry.name.endswith(suffix)
                and not entry.name.startswith(".")
                and (entry.is_dir() != bool(suffix))
            ]
    except OSError:
        return []
