"""One writer a folder: the second is refused, and a killed one holds nothing."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.runs import lock
from s2robot.runs.lock import locked, note_command, owner

HOLD = """
import sys, time
from pathlib import Path
from s2robot.runs.lock import locked
with locked(Path(sys.argv[1]), "run_dir=r"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock of tmp_path."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_and_told_the_first(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error, locked(tmp_path, "run_dir=r"):
        pass
    assert f"run_dir=r is being written by process {holder.pid} on {os.uname().nodename}" in str(error.value)
    assert owner(tmp_path).startswith(f"process {holder.pid} on")

    holder.send_signal(signal.SIGKILL)
    holder.wait()

    assert owner(tmp_path) == ""
    with locked(tmp_path, "run_dir=r"):
        assert owner(tmp_path).startswith(f"process {os.getpid()} on")
    assert list(tmp_path.iterdir()) == []


def test_one_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with locked(tmp_path, "a"), pytest.raises(UserError, match="is being written by"), locked(tmp_path, "a"):
        pass
    with locked(tmp_path, "a"):  # free again
        pass


def test_a_folder_that_was_made_for_it_and_stays_empty_goes(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b", "a"):
        assert owner(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b", "a"):
        (tmp_path / "a" / "c").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["c"]


def test_the_owner_is_told_with_its_command_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_typed", [])
    monkeypatch.setattr(sys, "argv", ["bin/s2robot", "run_dir=r"])  # as Hydra is given it
    note_command(["train", "run_dir=r"])
    with locked(tmp_path, "a"):
        assert owner(tmp_path).endswith("(bin/s2robot train run_dir=r)")


def test_what_is_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    for name, told in {"file": "is a file, expected a folder", "link": "is a link to gone"}.items():
        with (
            pytest.raises(UserError, match=f"^a: {tmp_path / name} {told}"),
            locked(tmp_path / name / "x", "a"),
        ):
            pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="is a link and no lock"), locked(tmp_path, "a"):
        pass
    assert (tmp_path / "precious").read_text() == "keep"


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"pid": 3}'])
def test_a_damaged_lock_file_of_a_killed_process_is_taken_over(content: str, tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text(content)
    with locked(tmp_path, "a"):
        assert owner(tmp_path)


def test_without_locks_the_file_stands_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_locks(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path, "run_dir=r"):
        assert "this file system has no locks" in capsys.readouterr().err
        told = rf"names process {os.getpid()} .*delete it if that has ended"
        with pytest.raises(UserError, match=told), locked(tmp_path, "run_dir=r"):
            pass
    with locked(tmp_path, "run_dir=r"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_left_without_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(os, "pwrite", full)
        with locked(tmp_path, "run_dir=r"):
            pass
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path, "run_dir=r"):
        pass
