"""The parts of a dataset that is being made: a file an episode in `<out>.parts/`, for one process at a time.

A killed process leaves complete parts and the settings that they are made with (`settings.json`); the same
command goes on from them.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from s2robot.errors import UserError
from s2robot.files import SCRATCH_SUFFIX, read_text, write_text
from s2robot.runs import lock

SUFFIX = ".hdf5"
BEFORE = {"drift": 0.0}  # what a setting was before it could be set


@contextmanager
def claimed(out: Path, settings: str) -> Iterator[Path]:
    """The folder for the parts of `out`, which notes the settings (a JSON object) that they are made with.

    It is deleted at the end when `out` is there or when it holds no part. Raises `UserError` when another
    process makes the same file, when a killed one with other settings left parts (naming what differs), and
    when there is something without settings.
    """
    parts = out.with_name(out.name + ".parts")
    with lock.locked(parts, str(out)):
        _note(parts, settings)
        try:
            yield parts
        finally:
            if out.exists() or not list(_complete(parts)):
                _clear(parts)
    if out.exists() and parts.is_dir() and not any(parts.iterdir()):
        parts.rmdir()


def part_path(parts: Path, name: str) -> Path:
    """The file of one part."""
    return parts / f"{name}{SUFFIX}"


def kept_parts(parts: Path) -> dict[str, bool]:
    """Name of each part that is there -> whether it holds its episode.

    One that cannot be read (a crash of the machine may cut it off) is deleted, and said; it is made again.
    """
    found = {}
    for path in _complete(parts):
        try:
            with h5py.File(path, "r") as file:
                found[path.stem] = bool(file["demo"].attrs.get("kept", True))
        except (OSError, KeyError) as error:
            print(f"{path} is damaged ({error}); it is made again")
            path.unlink()
    return found


def must_match(found: str, wanted: str, where: Path) -> None:
    """Raise `UserError` naming the settings in which two runs differ."""
    old, new = json.loads(found), json.loads(wanted)
    old = BEFORE | old
    differing = [f"{key} is {old.get(key)!r}, not {new[key]!r}" for key in new if old.get(key) != new[key]]
    if differing:
        raise UserError(
            f"{where} was made with other settings: {'; '.join(differing)}; delete it or change --out"
        )


def _note(parts: Path, settings: str) -> None:
    """Compare the settings with those that are noted, or note them."""
    note = parts / "settings.json"
    if note.exists() or note.is_symlink():
        try:
            found: Any = json.loads(text := read_text(note))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{note} is damaged ({error}); delete {parts} or change --out") from error
        if not isinstance(found, dict):
            raise UserError(f"{note} is damaged (no JSON object); delete {parts} or change --out")
        must_match(text, settings, parts)
    elif any(path.suffix != SCRATCH_SUFFIX and path.name != lock.NAME for path in parts.iterdir()):
        raise UserError(
            f"{parts} has no settings.json, so its parts may be another job's; delete it or change --out"
        )
    else:
        write_text(note, settings)


def _complete(parts: Path) -> Iterator[Path]:
    yield from sorted(path for path in parts.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def _clear(parts: Path) -> None:
    """Delete all but the lock, which is held and goes last, with its folder."""
    for path in parts.iterdir():
        if path.name != lock.NAME:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else os.unlink(path)
