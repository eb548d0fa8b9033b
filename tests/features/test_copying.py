"""Stores of several machines become one; rows that no episode names can be removed."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from s2robot.errors import UserError
from s2robot.features.copying import merge_stores
from s2robot.features.garbage import remove_unnamed
from s2robot.features.store import FeatureStore
from s2robot.features.writer import Writer
from tests.commands.command_line import status_here
from tests.features.tiny_store import HASHES, MakeStore, append, stored

KILLED = """
import os, signal
from pathlib import Path
from s2robot.features import copying
from s2robot.features.writer import Writer

commit = Writer.commit
def die(writer):
    commit(writer)
    os.kill(os.getpid(), signal.SIGKILL)
copying.PIECE_BYTES = 1
Writer.commit = die
copying.merge_stores([Path({source!r})], Path({target!r}), False)
"""


def test_equal_rows_are_copied_once(make_store: MakeStore, rows: np.ndarray, tmp_path: Path) -> None:
    append(make_store(root=tmp_path / "a"), rows, range(4))
    append(make_store(root=tmp_path / "b"), rows, range(2, 6))
    target = make_store(root=tmp_path / "c")

    done = merge_stores([tmp_path / "a", make_store(root=tmp_path / "b").folder], tmp_path / "c", False)

    assert [(one.copied, one.found, one.episodes) for one in done] == [(4, 0, 1), (2, 2, 1)]
    assert len(target.snapshot()) == 6
    assert np.array_equal(stored(target), rows)
    again = merge_stores([tmp_path / "a", tmp_path / "b"], tmp_path / "c", False)
    assert [(one.copied, one.episodes) for one in again] == [(0, 0), (0, 0)]
    assert len(target.segment_folders()) == 2  # nothing to write, no segment


def test_a_merge_that_was_killed_goes_on(make_store: MakeStore, rows: np.ndarray, tmp_path: Path) -> None:
    append(make_store(root=tmp_path / "a"), rows, range(6))
    script = KILLED.format(source=str(tmp_path / "a"), target=str(tmp_path / "c"))
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    target = make_store(root=tmp_path / "c")
    assert len(target.snapshot()) == 1

    (done,) = merge_stores([tmp_path / "a"], tmp_path / "c", False)

    assert (done.copied, done.found, done.episodes) == (5, 1, 1)
    assert np.array_equal(stored(target), rows)


def test_a_damaged_row_is_not_copied(make_store: MakeStore, rows: np.ndarray, tmp_path: Path) -> None:
    source = make_store(root=tmp_path / "a")
    append(source, rows, range(4))
    file = source.segments()[0].rows_file
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with pytest.raises(UserError, match="is not what was stored"):
        merge_stores([tmp_path / "a"], tmp_path / "c", False)


def test_what_cannot_be_merged_is_one_line(make_store: MakeStore, rows: np.ndarray, tmp_path: Path) -> None:
    store = make_store(root=tmp_path / "a")
    append(store, rows, range(2))
    with pytest.raises(UserError, match="holds no feature store"):
        merge_stores([tmp_path / "nothing"], tmp_path / "c", False)
    for into in (tmp_path / "a", store.folder, store.folder / "inner"):
        with pytest.raises(UserError, match="give another"):
            merge_stores([tmp_path / "a"], into, False)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^cannot make feature store"):
        merge_stores([tmp_path / "a"], tmp_path / "file", False)
    renamed = shutil.copytree(store.folder, tmp_path / "b" / "lite0-0123456789abcdef")
    with pytest.raises(UserError, match="under its own name"):
        merge_stores([renamed], tmp_path / "c", False)
    (renamed / "settings.json").write_text("{}")
    with pytest.raises(UserError, match=r"settings\.json lacks 'format'"):
        merge_stores([renamed], tmp_path / "c", False)


def test_nothing_is_removed_while_a_build_is_running(make_store: MakeStore, rows: np.ndarray) -> None:
    """It may have found rows that no episode names yet."""
    store = make_store()
    append(store, rows, range(3))
    with store.lock("shard_0_of_2"):
        with pytest.raises(UserError, match=r"is being written \(.*shard_0_of_2.lock is locked\)"):
            remove_unnamed(store, dry_run=False, progress=False)
        assert remove_unnamed(store, progress=False).rows == 3
    assert remove_unnamed(store, dry_run=False, progress=False).rows == 3


def test_a_build_waits_while_rows_are_removed(make_store: MakeStore) -> None:
    store, entered = make_store(), threading.Event()

    def build() -> None:
        with store.lock("shard_5_of_9"):  # a share that was never built here
            entered.set()

    builder = threading.Thread(target=build)
    with store.locked_alone():
        builder.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    builder.join()


def test_rows_that_no_episode_names_are_removed(
    make_store: MakeStore, rows: np.ndarray, tmp_path: Path
) -> None:
    store = make_store()
    append(store, rows, range(3))
    append(store, rows, range(2, 4))  # row 2 is there twice
    with Writer(store) as writer:  # a build that was killed before it knew its episode
        writer.append(HASHES[4:], rows[4:])
        writer.commit()

    assert remove_unnamed(store, progress=False).left == 3  # a build may still be writing
    _an_hour_ago(store)
    planned = remove_unnamed(store, progress=False)
    assert (planned.rows, planned.unnamed, planned.bytes) == (7, 3, 3 * store.row_bytes)
    assert len(store.snapshot()) == 7

    assert remove_unnamed(store, dry_run=False, progress=False) == planned

    assert len(store.snapshot()) == 4
    assert np.array_equal(stored(store), rows[:4])
    assert remove_unnamed(store, progress=False).unnamed == 0


def _an_hour_ago(store: FeatureStore) -> None:
    for file in store.segments_folder.glob("*/*"):
        os.utime(file, (0, 0))


def test_the_commands_merge_and_clean(
    make_store: MakeStore,
    rows: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, which in {"a": range(4), "b": range(2, 6)}.items():
        append(make_store(root=tmp_path / name), rows, which)

    def said(*words: str) -> tuple[str, str]:
        assert status_here(monkeypatch, "s2robot", "features", *words) in (0, 2)
        captured = capsys.readouterr()
        return captured.out, captured.err

    a, b, c = (str(tmp_path / name) for name in "abc")
    merged = json.loads(said("--merge", a, b, "--into", c, "--json")[0])["stores"]
    assert [one["copied"] for one in merged] == [4, 2]
    assert "0 of 6 rows are named by no episode" in said("--gc", "--root", c)[0]
    assert json.loads(said("--gc", "--delete", "--root", c, "--json")[0])["stores"][0]["unnamed"] == 0
    for words, told in {
        ("--merge", a): "--merge needs --into FOLDER",
        ("demos.hdf5", "--gc"): "they take no dataset",
        (): "which dataset?",
    }.items():
        assert told in said(*words)[1]
