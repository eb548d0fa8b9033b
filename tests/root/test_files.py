"""A file appears under its name when it is complete, whatever happens while it is written."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from s2robot.files import cache_root, leftovers, read_text, replacing, scratch_name, write_text


def test_a_complete_file_replaces_the_old_one_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")

    with replacing(path) as scratch:
        assert scratch.parent == tmp_path
        scratch.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["summary.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_scratch_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")

    with pytest.raises(error), replacing(path) as scratch:
        scratch.write_text("ne")
        raise error

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["summary.json"]


def test_two_writers_of_one_file_do_not_share_a_scratch_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")

    assert (tmp_path / "a").read_text() == "one"  # the block that ended last


def test_a_link_under_the_scratch_name_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    monkeypatch.setattr("secrets.token_hex", lambda count: "00")
    scratch_name(tmp_path / "a").symlink_to(precious)

    with pytest.raises(FileExistsError):
        write_text(tmp_path / "a", "new")

    assert precious.read_text() == "keep"


def test_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("keep")
    (tmp_path / "config.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="is a link, which is not followed"):
        read_text(tmp_path / "config.yaml")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is no regular file"):
        read_text(tmp_path / "pipe")
    assert read_text(tmp_path / "secret") == "keep"


def test_the_users_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_long_name_and_one_with_wildcards(tmp_path: Path) -> None:
    for name in ("n" * 255, "run[1]*.json"):
        write_text(tmp_path / name, name)
        assert (tmp_path / name).read_text() == name


def test_what_a_killed_writer_leaves_is_found(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from s2robot.files import replacing
with replacing(Path(sys.argv[1])) as scratch:
    scratch.write_text("half of i")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "a[0].json"
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert not path.exists()
    assert [left.read_text() for left in leftovers(path)] == ["half of i"]


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"S2ROBOT_CACHE": "/a"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/s2robot"),
        ({"HOME": "/c"}, "/c/.cache/s2robot"),
    ],
)
def test_where_the_cache_is(variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S2ROBOT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_root() == Path(folder)
