"""A replacement that is killed at any moment leaves the old or the new, and never a mixture."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from s2robot.runs.replacement import Replacement

NAMES = ("checkpoints", "metrics.jsonl", "validation.json")


class Killed(BaseException):
    pass


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


def killed_at(moment: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> bool:
    """Run `act`; the process is killed before its call number `moment` that changes the disk."""
    calls = 0

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("unlink", "rmdir"):  # what rmtree is made of
            patch.setattr(os, name, dying(getattr(os, name)))
        for name in ("mkdir", "rename", "write_text", "rmdir"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        try:
            act()
        except Killed:
            return True
    return False


def test_nothing_is_lost_or_mixed_by_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, moment = [], 0
    killed = True
    while killed:
        moment += 1
        folder = tmp_path / str(moment)
        write(folder, OLD)
        killed = killed_at(moment, monkeypatch, partial(replace, folder))
        for second in (3, 2, 1):  # bringing it into order is killed as well
            shutil.copytree(folder, copy := tmp_path / f"{moment}-{second}")
            killed_at(second, monkeypatch, replacement(copy).settle)
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
