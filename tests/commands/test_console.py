"""Which errors end as one line with status 2, and which keep their traceback."""

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from s2robot.commands.cli.console import BAD_INPUT, INTERRUPTED, UNREAD, one_line_errors
from s2robot.errors import UserError
from tests.commands.command_line import assert_one_line


def opened(path: Path) -> None:
    with one_line_errors():
        path.read_text()


def test_a_missing_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        opened(tmp_path / "nothing")
    assert exit_.value.code == BAD_INPUT
    told = capfd.readouterr().err
    assert_one_line(told, "No such file", str(tmp_path / "nothing"))
    assert "Errno" not in told


def test_both_names_of_a_file_that_cannot_be_moved_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        (tmp_path / "a").rename(tmp_path / "there" / "a")
    assert_one_line(capfd.readouterr().err, f"{tmp_path}/a -> {tmp_path}/there/a: No such file or directory")


def test_a_folder_in_place_of_a_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        opened(tmp_path)
    assert_one_line(capfd.readouterr().err, str(tmp_path))


GPU_GONE = """CUDA error: CUDA-capable device(s) is/are busy or unavailable
CUDA kernel errors might be asynchronously reported at some other API call"""


@pytest.mark.parametrize(
    "error",
    [
        UserError("two\nlines"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.ENAMETOOLONG, "File name too long", "runs/aaaa"),
        torch.AcceleratorError(GPU_GONE),
        RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    ],
)
def test_told_in_one_line(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_, one_line_errors():
        raise error
    assert exit_.value.code == BAD_INPUT
    assert_one_line(capfd.readouterr().err)


@pytest.mark.parametrize(
    "error",
    [
        OSError("a library gave up"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        FileNotFoundError("raised by hand, of no file"),
        ValueError("not a UserError"),
        RuntimeError("unknown error"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
    ],
)
def test_a_defect_keeps_its_traceback(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(error)) as raised, one_line_errors():
        raise error
    assert raised.value is error
    assert capfd.readouterr().err == ""


def test_ctrl_c_is_one_word(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_, one_line_errors():
        raise KeyboardInterrupt
    assert exit_.value.code == INTERRUPTED
    assert capfd.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["collect", "--help"], ["--version"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_output_that_nobody_reads_ends_a_command_without_words(words: list[str], buffered: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "s2robot", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"},
        check=False,
    )
    os.close(writer)
    assert ended.stderr.decode() == ""
    assert ended.returncode in (UNREAD, 0)  # argparse ignores what happens to its help


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_daemons_closed_streams_are_no_mistake(closed: str) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m s2robot power --help {closed}"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert ended.returncode == 0
    assert ended.stderr == b""


def test_a_current_folder_that_was_deleted_is_one_line(tmp_path: Path) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$0" -P -m s2robot train data.path=a.hdf5'
    ended = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, check=False
    )
    assert ended.returncode == BAD_INPUT
    assert_one_line(ended.stderr.decode(), "the current folder was deleted")
