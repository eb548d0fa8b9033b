"""No child outlives its parent, and SIGTERM lets scratch files be deleted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from s2robot.processes.ending import Terminated, terminating

CHILD = "from s2robot.processes.ending import leave_signals_to_parent as f; f(); import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
from s2robot.processes.starting import child_environment
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=child_environment())
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_parent(by: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))

    parent.send_signal(by)
    parent.communicate()

    child.wait(timeout=30)  # raises where it lives on


def test_a_process_between_is_no_end() -> None:
    """Such as Ray's, or a command that is called where children are started: its parent is another one."""
    called = (
        "import os, time\n"
        "from s2robot.processes import ending\n"
        "ending.WATCH_EVERY_S = ending.GRACE_S = 0.05\n"
        "os.environ[ending.PARENT] = str(os.getpid())\n"
        "ending.end_with_parent()\n"
        "time.sleep(0.5)\n"
    )
    assert subprocess.run([sys.executable, "-c", called], check=False).returncode == 0


def test_sigterm_closes_what_is_open_once() -> None:
    closed = []
    with pytest.raises(Terminated) as ended, terminating():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # the second is not heard
            closed.append(True)
    assert closed == [True]
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_command_that_is_stopped_leaves_no_scratch_file(demos_path: Path, tmp_path: Path) -> None:
    words = ["convert", str(demos_path), str(tmp_path / "out"), "--fps", "10"]
    stopped_while_writing = (
        "import os, signal, sys\n"
        "from s2robot.datasets.tools import target\n"
        "from s2robot.commands.cli import main\n"
        "fresh = target._fresh\n"
        "def dying(path):\n"
        "    for scratch in fresh(path):\n"
        "        scratch.write_text('half')\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        yield scratch\n"
        "target._fresh = dying\n"
        f"main({words!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", stopped_while_writing], capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "stopped by SIGTERM\n"
    assert list(tmp_path.iterdir()) == []
