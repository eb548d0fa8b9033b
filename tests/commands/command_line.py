"""The commands as they are typed, in this process where seconds count."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from s2robot.commands.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS: dict[str, list[str]] = {"train.py": ["train"], "eval.py": ["eval"], "s2robot": []}


def status_here(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of a command run in this process."""
    monkeypatch.setattr(sys, "argv", list(words))
    try:
        main([*COMMANDS[words[0]], *words[1:]])
    except SystemExit as exit_:
        assert isinstance(exit_.code, int)
        return exit_.code
    return 0


def run_process(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, from another folder than the project's."""
    if words[0].endswith(".py"):
        program = [sys.executable, str(ROOT / words[0])]
    else:
        program = [shutil.which(words[0], path=Path(sys.executable).parent) or words[0]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*program, *words[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def assert_one_line(stderr: str, *told: str) -> None:
    """What a user's mistake prints: one line that starts with `error: ` and says `told`."""
    assert stderr.startswith("error: "), stderr
    assert stderr.endswith("\n"), stderr
    assert stderr.count("\n") == 1, stderr
    for words in told:
        assert words in stderr
