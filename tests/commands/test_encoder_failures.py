"""What train and eval say about the encoder: failures as what they are, and one warning."""

from pathlib import Path

import pytest

from s2robot.encoders import packaged
from tests.commands.command_line import run_process, status_here
from tests.training.tiny_training import options


@pytest.mark.parametrize(
    "failure", [MemoryError("no room for it"), RuntimeError("the backend failed")], ids=repr
)
def test_a_failure_of_the_machine_is_not_told_as_the_checkpoints(
    failure: Exception, trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise failure

    monkeypatch.setattr(packaged, "sha256_of", fails)
    words = (f"checkpoint={trained / 'checkpoints' / 'last'}", "episodes=1", "workers=1", "device=cpu")
    assert status_here(monkeypatch, "eval.py", *words) == 1  # a traceback, not a user's mistake
    told = capfd.readouterr().err
    assert str(failure) in told and type(failure).__name__ in told
    assert "damaged" not in told


def test_a_scale_that_is_not_cut_is_one_line_on_stderr(demos_path: Path, tmp_path: Path) -> None:
    words = [*options(demos_path, tmp_path / "run"), "encoder.sizes=[32,64]", "optim.steps=0"]
    done = run_process("train.py", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(told) == 1 and "sees 64 pixels as one tile" in told[0] and "tile is 224 pixels" in told[0]
    done = run_process("train.py", *words, "encoder.tile=32", f"run_dir={tmp_path / 'cut'}", cwd=tmp_path)
    assert done.returncode == 0 and "warning: " not in done.stderr
