"""What a command imports before it has to: no PyTorch for help, mistakes, comparisons and reports."""

import subprocess
import sys
from pathlib import Path

import pytest

from s2robot.commands.cli.dispatch import names

PROGRAM = """
import sys
from s2robot.commands.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sorted({"torch", "mujoco", "gymnasium", "hydra"} & sys.modules.keys()), file=sys.stderr)
"""
LIGHT = {
    "overview": (["--help"], set()),
    "unknown command": (["trian"], set()),
    "train mistyped": (["train", "optim.step=3", "data.path=d.hdf5", "run_dir=r"], {"hydra"}),
    "train unknown policy": (["train", "policy=bcc"], {"hydra"}),
    "train incomplete": (["train"], {"hydra"}),
    "train unknown head": (["train", "policy.head=men", "data.path=d.hdf5", "run_dir=r"], {"hydra"}),
    "train configuration": (["train", "--cfg", "job"], {"hydra"}),
    "eval mistyped": (["eval", "episode=3", "checkpoint=c"], {"hydra"}),
    "compare": (["compare", "nowhere", "nowhere"], set()),
    "report": (["report", "nowhere"], set()),
}


def imported(words: list[str], cwd: Path) -> set[str]:
    """The heavy packages that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("case", LIGHT)
def test_nothing_heavy_is_imported(case: str, tmp_path: Path) -> None:
    words, allowed = LIGHT[case]
    assert imported(words, tmp_path) <= allowed


@pytest.mark.parametrize("name", names())
def test_help_imports_no_pytorch(name: str, tmp_path: Path) -> None:
    assert "torch" not in imported([name, "--help"], tmp_path)
