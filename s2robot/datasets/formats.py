"""Which formats there are, and the datasets that `data.path` names: files, folders, globs, lists of these."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from s2robot.datasets.natural import natural
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Format, Source
from s2robot.errors import UserError
from s2robot.registry import Lazy, Registry

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")  # https://, s3://, hf://
SHOWN = 60  # characters of what is no path, in a message

FORMATS: Registry[Format] = Registry("data.format")
FORMATS["aloha"] = Lazy("s2robot.datasets.aloha:Aloha")
FORMATS["lerobot"] = Lazy("s2robot.datasets.lerobot.finding:LEROBOT")
FORMATS["robomimic"] = Lazy("s2robot.datasets.robomimic:Robomimic")


def open_sources(config: DataConfig) -> tuple[list[Source], list[int]]:
    """The sources of `data.path` in its order, all of one format, and which entry of it each comes from.

    Nothing is checked but what their formats need.
    """
    sources: list[Source] = []
    entries: list[int] = []
    left: list[Problem] = []
    for number, word in enumerate([config.path] if isinstance(config.path, str) else config.path):
        matches = _matches(word)
        known = [match for match in matches if len(matches) == 1 or _may_be_one(match)] or matches
        left += [Problem("left alone: it is no dataset", str(one)) for one in matches if one not in known]
        for match in known:
            found = [FORMATS[name](one, config) for name, one in _found(match, config.format)]
            if found and match.is_dir():
                found[0].warnings = [*found[0].warnings, *_left_alone(match, found)]
            sources += found
            entries += [number] * len(found)
    if left:
        sources[0].warnings = [*sources[0].warnings, *left]
    _same_format(sources)
    return sources, entries


def _matches(word: str) -> list[Path]:
    """The paths that an entry of `data.path` names: itself, or what its glob matches.

    Raises `UserError` for an address, for what no path can be, and for a glob without a match.
    """
    if ADDRESS.match(word):
        raise UserError(f"data.path={word} is an address: download it first, and give the path of the copy")
    try:
        path = Path(word).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError) as error:  # too long, no home folder
        raise UserError(
            f"data.path={word[:SHOWN]!r} can be no path: {getattr(error, 'strerror', None) or error}"
        ) from error
    if exists or not glob.has_magic(word):
        return [path]
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)), key=lambda match: natural(str(match)))
    if not matches:
        raise UserError(f"data.path={word}: no file or folder matches")
    return matches


def _may_be_one(match: Path) -> bool:
    """Whether a match of a glob is to be opened: all are but files that no format knows, such as a README."""
    from s2robot.datasets.hdf5_files import FOUND

    known = match.is_dir() or match.suffix.lower() in FOUND
    return known or any(FORMATS[name].found(match) for name in FORMATS)


def _same_format(sources: Sequence[Source]) -> None:
    """Raise `UserError` for datasets of several formats."""
    for source in sources:
        if source.format != sources[0].format:
            raise UserError(
                f"{sources[0].path} is of format {sources[0].format} and {source.path} of {source.format}: "
                f"convert one with `s2robot convert`"
            )


def _found(path: Path, wanted: str) -> list[tuple[str, Path]]:
    """Format and path of each dataset at a path; all of one format."""
    names = list(FORMATS) if wanted == "auto" else [wanted]
    found = {name: FORMATS[name].found(path) for name in names}
    claims = [name for name in names if found[name]]
    if len(claims) > 1:
        raise UserError(f"{path} holds datasets of several formats; choose data.format={' or '.join(claims)}")
    if claims:
        return [(claims[0], one) for one in found[claims[0]]]
    if not path.is_dir():
        return [("robomimic" if wanted == "auto" else wanted, path)]  # opening it says what is wrong
    from s2robot.datasets.hdf5_files import hdf5_in, layout

    formats = f"a known format ({', '.join(names)})" if wanted == "auto" else f"format {wanted}"
    others = "".join(f"; {file.name} has {layout(file)}" for file in hdf5_in(path)[:1])
    raise UserError(f"{path} is a folder without a dataset of {formats}{others}")


def _left_alone(folder: Path, found: Sequence[Source]) -> list[Problem]:
    """A warning for each HDF5 file in a folder of datasets that is in none of them."""
    from s2robot.datasets.hdf5_files import hdf5_in, layout

    used = {source.path for source in found} | {one.file for source in found for one in source.episodes}
    return [
        Problem(f"left alone: it has {layout(file)}, which is no {found[0].format} dataset", str(file))
        for file in hdf5_in(folder)
        if file not in used
    ]
