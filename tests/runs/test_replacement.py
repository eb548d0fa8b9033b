"""A replacement that is killed at any moment leaves the old or the new, and never a mixture."""

import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from s2robot.runs.replacement import Replacement
from tests.killing import killed_at

NAMES = ("checkpoints", "metrics.jsonl", "validation.json")


def replacement(folder: Path) -> Replacement:
    return Replacement(folder, NAMES, lambda: (folder / "checkpoints" / "last").exists())


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


OLD = {"checkpoints/last": "old", "checkpoints/best": "old", "metrics.jsonl": "old", "notes.txt": "mine"}
NEW = {"checkpoints/last": "new", "validation.json": "new", "notes.txt": "mine"}


def replace(folder: Path) -> None:
    """A training that replaces another: it validates, then saves, then goes on."""
    one = replacement(folder)
    one.settle()
    one.begin()
    (folder / "validation.json").write_text("new")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last").write_text("new")
    one.finish()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


CHANGES = {
    os: ("unlink", "rmdir"),
    Path: ("mkdir", "rename", "write_text", "rmdir"),
}  # rmtree is made of os's


def test_nothing_is_lost_or_mixed_by_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, moment = [], 0
    killed = True
    while killed:
        moment += 1
        folder = tmp_path / str(moment)
        write(folder, OLD)
        killed = killed_at(moment, partial(replace, folder), monkeypatch, CHANGES)
        for second in (3, 2, 1):  # bringing it into order is killed as well
            shutil.copytree(folder, copy := tmp_path / f"{moment}-{second}")
            killed_at(second, replacement(copy).settle, monkeypatch, CHANGES)
            replacement(copy).settle()
            assert not replacement(copy).pending
            assert content(copy) in (OLD, NEW)
        replacement(folder).settle()
        outcomes.append(content(folder))
    assert moment > 10  # it was really killed
    assert outcomes[0] == OLD
    assert outcomes[-1] == NEW
    assert outcomes == sorted(outcomes, key=lambda files: files["checkpoints/last"], reverse=True)


def test_links_are_moved_and_not_what_they_lead_to(tmp_path: Path) -> None:
    disk, folder = tmp_path / "disk", tmp_path / "run"
    write(disk, {"last": "old"})
    folder.mkdir()
    (folder / "checkpoints").symlink_to(disk)
    replace(folder)
    assert content(disk) == {"last": "old"}
    assert content(folder) == {"checkpoints/last": "new", "validation.json": "new"}
