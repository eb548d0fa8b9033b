"""A tool's target appears when it is complete or not at all; what is refused is one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from s2robot.datasets.tools.target import format_of, writing
from s2robot.errors import UserError
from s2robot.files import scratch_name
from tests.commands.command_line import assert_one_line, run_process, status_here
from tests.datasets.small_files import demo, write


def test_the_target_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.hdf5"
    with writing(target) as scratch:
        scratch.write_text("all")
        assert not target.exists()
    assert target.read_text() == "all"
    assert os.listdir(tmp_path) == ["a.hdf5"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), writing(tmp_path / "a") as scratch:
        scratch.mkdir()
        (scratch / "x").write_text("half")
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_what_killed_runs_left_is_deleted_and_nothing_of_others(tmp_path: Path) -> None:
    old, other = scratch_name(tmp_path / "a"), scratch_name(tmp_path / "a.b")
    for folder in (old, other):
        folder.mkdir()
        (folder / "half").write_text("half")
    (tmp_path / ".a.lock").touch()
    with writing(tmp_path / "a") as scratch:
        scratch.mkdir()
    assert sorted(os.listdir(tmp_path)) == [other.name, "a"]


def test_two_processes_do_not_write_one_target(tmp_path: Path) -> None:
    with writing(tmp_path / "a") as scratch:
        scratch.write_text("first")
        with pytest.raises(UserError, match="written by another process"), writing(tmp_path / "a"):
            pass  # pragma: no cover
    assert (tmp_path / "a").read_text() == "first"


@pytest.mark.parametrize("name", ["a.hdf5", "a.H5", "folder", "pusht_v1.0"])
def test_formats_by_ending(name: str) -> None:
    assert format_of(Path(name)) == ("robomimic" if "a." in name else "lerobot")


@pytest.mark.parametrize("name", ["a.mp4", "a.parquet", "a.zip", "a.hdf"])
def test_other_endings(name: str) -> None:
    with pytest.raises(UserError, match=name):
        format_of(Path(name))


def test_targets_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.hdf5", [demo()])
    before = path.read_bytes()
    (tmp_path / "link.hdf5").symlink_to(path)
    (tmp_path / "dangling.hdf5").symlink_to(tmp_path / "nothing")
    cases = {
        "a.hdf5": "is the dataset itself",
        "../" + tmp_path.name + "/a.hdf5": "is the dataset itself",
        "link.hdf5": "is the dataset itself",
        "dangling.hdf5": "exists",
        "none/b.hdf5": "there is no folder",
        "a.hdf5/b.hdf5": "there is no folder",
        "b.txt": ".txt is no dataset's ending",
    }
    for name, told in cases.items():
        words = ["subset", str(path), "--first", "1", "--out", f"{tmp_path}/{name}"]
        assert status_here(monkeypatch, "s2robot", *words) == 2
        assert_one_line(capsys.readouterr().err, told)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.hdf5", "dangling.hdf5", "link.hdf5"]


def test_a_target_inside_of_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with (
        pytest.raises(UserError, match="is inside of the dataset"),
        writing(tmp_path / "set/new", [tmp_path / "set"]),
    ):
        pass  # pragma: no cover


LIMIT = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
from s2robot.commands.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("command", "name"),
    [(["subset", "--first", "2", "--out"], "b.hdf5"), (["convert"], "b.hdf5"), (["convert"], "set")],
)
def test_no_room(command: list[str], name: str, tmp_path: Path) -> None:
    """A limit of the size of files stands for a disk that is full."""
    path = write(tmp_path / "a.hdf5", [demo(steps=600, seed=i) for i in range(2)])
    words = [command[0], str(path), *command[1:], str(tmp_path / name)]
    fps = ["--fps", "10", "--lossless"] if command[0] == "convert" else []
    done = subprocess.run(
        [sys.executable, "-c", LIMIT, *words, *fps], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert_one_line(done.stderr.splitlines(keepends=True)[-1], f"{tmp_path / name} cannot be written")
    assert sorted(os.listdir(tmp_path)) == ["a.hdf5"]


KILLED = """
import os, signal, sys
import s2robot.progress
count = int(sys.argv.pop(1))

def progress(items, *_, **__):
    for i, item in enumerate(items):
        if i == count:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item

s2robot.progress.progress = progress
from s2robot.commands.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["convert", "a.hdf5", "--fps", "10"], "set"),
        (["convert", "a.hdf5"], "b.hdf5"),
        (["split", "a.hdf5", "--out"], "b.hdf5"),
        (["merge", "a.hdf5", "other.hdf5", "--out"], "b.hdf5"),
    ],
)
def test_a_killed_command_leaves_nothing_under_the_name_and_succeeds_the_next_time(
    command: list[str], name: str, count: int, tmp_path: Path
) -> None:
    for i, file in enumerate(("a.hdf5", "other.hdf5")):
        frames: dict[str, Any] = {
            "obs__agentview_image": demo()["obs/agentview_image"].repeat(4, 1).repeat(4, 2)
        }
        write(tmp_path / file, [demo(seed=10 * i + j, **frames) for j in range(3)])
    words = [*command, name]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(count), *words], cwd=tmp_path, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / name).exists()
    assert len(os.listdir(tmp_path)) > 2  # its scratch files
    done = run_process("s2robot", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == sorted(["a.hdf5", "other.hdf5", name])
    assert run_process("s2robot", "validate", name, cwd=tmp_path).returncode == 0
