"""The files of a LeRobot folder: names come from a template in the set's own metadata and are not trusted.

A template may hold named integers and the name of a known camera, nothing else, and what it gives must lie
inside the folder, symbolic links resolved.
"""

import json
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2robot.errors import UserError
from s2robot.files import not_regular

BAD_JSON = (ValueError, RecursionError)  # of `json`: also for long numbers and deep nesting
LFS_POINTER = b"version https://git-lfs"
PARQUET = b"PAR1"
SHOWN = 100  # characters of what is no path, in a message
MAX_JSON_BYTES = 256 << 20
INTEGER_SPEC = re.compile(r"(0?[1-9])?d?")  # "03d": of one digit, so that a name cannot be padded without end


class Folder:
    """The root of a dataset, and the folders beside it that its links may point into."""

    def __init__(self, root: Path, allow_links: Sequence[str | Path] = ()) -> None:
        """`allow_links`: folders outside the root in which the target of a symbolic link may lie."""
        self.root = root
        self._allowed = [root.resolve(), *(Path(folder).resolve() for folder in allow_links)]
        blobs = root.absolute().parent.parent / "blobs"  # Hugging Face's cache links its snapshots there
        if root.absolute().parent.name == "snapshots" and blobs.is_dir() and not blobs.is_symlink():
            self._allowed.append(blobs.resolve())
        self._parents: dict[Path, Path] = {}  # resolved; a set has many files and few folders

    def inside(self, relative: str, stated_in: str) -> Path:
        """The path below the root; raises `UserError` when it, or what it links to, leaves the root."""
        if "\0" in relative:
            raise UserError(f"{stated_in}: a path holds a null character: {relative!r}")
        path = self.root / relative
        try:
            resolved = self._resolved(path)
        except RuntimeError as error:  # what `Path.resolve` raises before Python 3.13
            raise UserError(f"{path} is a link that leads to itself") from error
        except (OSError, ValueError) as error:  # too long; no text that could be a name
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{stated_in}: {relative[:SHOWN]!r} can be no path: {reason}") from error
        if not any(resolved.is_relative_to(folder) for folder in self._allowed):
            raise UserError(
                f"{stated_in}: {relative!r} leads to {resolved}, outside the dataset {self.root}; "
                f"if that is meant, name its folder in data.allow_links"
            )
        return path

    def _resolved(self, path: Path) -> Path:
        if path.name in ("", "..") or path.is_symlink():
            return path.resolve()
        if path.parent not in self._parents:
            self._parents[path.parent] = path.parent.resolve()
        return self._parents[path.parent] / path.name

    def json(self, relative: str) -> Any:
        """What a JSON file of the folder says."""
        path = self.inside(relative, str(self.root))
        text = read_text(path)
        try:
            return json.loads(text)
        except BAD_JSON as error:
            raise UserError(f"{path} is not valid JSON: {error}") from error

    def json_lines(self, relative: str) -> list[dict[str, Any]]:
        """The objects of a file with one JSON object a line."""
        path = self.inside(relative, str(self.root))
        rows = []
        for number, line in enumerate(read_text(path).split("\n"), 1):  # U+2028 and such may be in a text
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except BAD_JSON as error:
                raise UserError(f"{path}, line {number} is not valid JSON: {error}") from error
            if not isinstance(row, dict):
                raise UserError(f"{path}, line {number}: found {line[:40]!r}, expected a JSON object")
            rows.append(row)
        return rows


def read_text(path: Path) -> str:
    """A UTF-8 file as text, of a size that metadata may have."""
    check_head(path)
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise UserError(f"{path} has {size} bytes; metadata of at most {MAX_JSON_BYTES} are read")
    try:
        return path.read_text(encoding="utf-8-sig")  # editors of Windows write a mark first
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error


def check_regular(path: Path) -> None:
    """Raise `UserError` unless there is a regular file; only then it may be opened: a pipe would wait."""
    fault = not_regular(path)
    if fault == "is not there":
        raise UserError(f"{path} is missing; is the download complete?")
    if fault:
        raise UserError(f"{path} {fault}")


def check_head(path: Path) -> bytes:
    """The first 32 bytes; raises `UserError` for no regular file, or one that Git LFS has not fetched."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if head.startswith(LFS_POINTER):
        raise UserError(f"{path} is a Git LFS pointer, not the data: run `git lfs pull` in its folder")
    return head


def check_parquet(path: Path) -> None:
    """Raise `UserError` unless the file starts and ends as parquet does."""
    if not check_head(path).startswith(PARQUET):
        raise UserError(f"{path} is not a parquet file")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4))
        tail = file.read()
    if path.stat().st_size < 12 or tail != PARQUET:
        raise UserError(
            f"{path} has no parquet footer: the recording was not finalised (its recorder was killed) or the "
            f"file is truncated; record or fetch it again"
        )


def check_mp4(path: Path) -> None:
    """Raise `UserError` unless the file starts as MP4 does."""
    if b"ftyp" not in check_head(path)[:12]:
        raise UserError(f"{path} is not an MP4 file, or its recording was not finished")


def expand(template: str, numbers: Mapping[str, int], camera: str | None, stated_in: str) -> str:
    """Fill a path template: `{name}` or `{name:03d}` for the numbers and `{video_key}`.

    Unlike `str.format` on a stranger's text this reaches no attribute and no index, and pads no name by
    more than nine digits. Raises `UserError` for anything else in braces.
    """
    parts = []
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UserError(f"{stated_in}: the path template {template!r} is malformed: {error}") from error
    for literal, name, spec, conversion in fields:
        parts.append(literal)
        if name is None:
            continue
        if name == "video_key" and camera is not None and not spec and not conversion:
            parts.append(camera)
        elif name in numbers and INTEGER_SPEC.fullmatch(spec or "") and not conversion:
            parts.append(format(numbers[name], spec or ""))
        else:
            known = ", ".join([*numbers, *(["video_key"] if camera is not None else [])])
            raise UserError(
                f"{stated_in}: the path template {template!r} has a field {name!r} that is not understood; "
                f"known: {known}"
            )
    return "".join(parts)
