"""A training that was stopped, however, goes on and ends with the bits of one that never was."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from s2robot.errors import UserError
from s2robot.runs import metrics
from s2robot.training import loop as training
from s2robot.training.trainer import Trainer
from tests.training.tiny_training import POLICIES, STEPS, description, run_training, start_training, weights


class Killed(BaseException):
    """Nothing in the program catches it, as nothing catches SIGKILL."""


@pytest.fixture(scope="module", params=sorted(POLICIES))
def never_stopped(
    request: pytest.FixtureRequest, demos_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    run_dir = tmp_path_factory.mktemp("never_stopped")
    run_training(demos_path, run_dir, request.param)
    return request.param, run_dir


def before_update(monkeypatch: pytest.MonkeyPatch, step: int, act: Any) -> None:
    """Call `act` when `step` steps are done and the next one is about to change the weights."""
    update = Trainer.update

    def acting_update(trainer: Trainer, loss: Tensor) -> tuple[Tensor, Tensor]:
        if trainer.step == step:
            act()
        return update(trainer, loss)

    monkeypatch.setattr(Trainer, "update", acting_update)


def raise_killed() -> None:
    raise Killed


def validations(run_dir: Path) -> list[dict[str, float]]:
    return [line for line in metrics.read(run_dir) if "valid/loss" in line]


@pytest.mark.parametrize("killed_at", [4, 7, STEPS - 1])
def test_killed_and_resumed_is_bit_equal(
    killed_at: int,
    never_stopped: tuple[str, Path],
    demos_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, reference = never_stopped
    with monkeypatch.context() as patch:
        before_update(patch, killed_at, raise_killed)
        with pytest.raises(Killed):
            run_training(demos_path, tmp_path, policy)
    assert 0 < description(tmp_path)["step"] <= killed_at
    torch.rand(1)  # the global random state is another one than it was

    run_training(demos_path, tmp_path, policy, "resume=true")

    assert description(tmp_path) == description(reference)
    for link in ("last", "best"):
        assert weights(tmp_path, link) == weights(reference, link)
    assert validations(tmp_path) == validations(reference)


def test_sigterm_saves_and_resumed_is_bit_equal(
    never_stopped: tuple[str, Path],
    demos_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy, reference = never_stopped
    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        before_update(patch, 6, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit) as exit_:
            run_training(demos_path, tmp_path, policy)
    assert exit_.value.code == 143
    assert "stopped by SIGTERM, saved at step 7" in capsys.readouterr().out
    assert description(tmp_path)["step"] == 7
    assert signal.getsignal(signal.SIGTERM) == handler

    run_training(demos_path, tmp_path, policy, "resume=true")

    assert weights(tmp_path) == weights(reference)


def test_sigterm_during_the_last_step_is_no_stop(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before_update(monkeypatch, STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    run_training(demos_path, tmp_path)
    assert f"trained to step {STEPS}" in capsys.readouterr().out


def test_processes_that_are_really_terminated_and_killed(demos_path: Path, tmp_path: Path) -> None:
    long = ("optim.steps=400", "optim.checkpoint_every=10", "optim.valid_every=200")
    run_training(demos_path, tmp_path / "reference", "bc", *long)
    run_dir = tmp_path / "stopped"

    terminated = start_training(demos_path, run_dir, *long)
    wait_for_checkpoint_after(0, run_dir, terminated)
    terminated.send_signal(signal.SIGTERM)
    out, err = terminated.communicate()
    assert terminated.returncode == 143, err
    saved = description(run_dir)["step"]
    assert f"stopped by SIGTERM, saved at step {saved}" in out

    killed = start_training(demos_path, run_dir, *long, "resume=true")
    wait_for_checkpoint_after(saved, run_dir, killed)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert saved < description(run_dir)["step"] < 400

    run_training(demos_path, run_dir, "bc", *long, "resume=true")
    assert weights(run_dir) == weights(tmp_path / "reference")


def wait_for_checkpoint_after(step: int, run_dir: Path, process: subprocess.Popen[str]) -> None:
    """Return when `process` has saved a later step."""
    last = run_dir / "checkpoints" / "last"
    while process.returncode is None:
        with suppress(FileNotFoundError):  # it may just be replaced
            if int(os.readlink(last).removeprefix("step_")) > step:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    pytest.fail(f"it ended by itself: {process.communicate()[1]}")


def test_best_of_before_the_kill_stays_the_best(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([0.1, 0.2])  # at steps 6 and 12
    monkeypatch.setattr(training, "validate", lambda *_: {"valid/action_error": next(errors)})
    with monkeypatch.context() as patch:
        before_update(patch, 8, raise_killed)
        with pytest.raises(Killed):
            run_training(demos_path, tmp_path)
    run_training(demos_path, tmp_path, "bc", "resume=true")
    assert description(tmp_path)["metrics"] == {"valid/action_error": 0.2}
    assert (tmp_path / "checkpoints" / "best").readlink() == Path("step_00000006")


def test_resume_without_a_checkpoint_starts(demos_path: Path, trained: Path, tmp_path: Path) -> None:
    run_training(demos_path, tmp_path, "bc", "resume=true")
    assert weights(tmp_path) == weights(trained)


def test_finished_training_is_left_as_it_is(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(demos_path, tmp_path)
    before = weights(tmp_path), metrics.read(tmp_path)
    run_training(demos_path, tmp_path, "bc", "resume=true")
    assert (weights(tmp_path), metrics.read(tmp_path)) == before
    assert capsys.readouterr().out.splitlines()[-1] == f"{tmp_path}: is trained already, to step {STEPS}"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("optim.learning_rate=0.1", "config.optim.learning_rate was 0.001 and is 0.1"),
        ("policy.hidden=[17]", "config.policy.hidden was [16] and is [17]"),
        ("seed=1", "config.seed was 0 and is 1"),
        ("encoder.sizes=[48]", "encoders.sizes was [64] and is [48]"),
    ],
)
def test_another_configuration_is_refused_and_touches_nothing(
    changed: str, told: str, demos_path: Path, trained: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    with pytest.raises(UserError, match="cannot be resumed") as error:
        run_training(demos_path, trained, "bc", "resume=true", changed)
    assert told in str(error.value)
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_moved_run_folder_can_be_resumed(demos_path: Path, trained: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "first"
    run_training(demos_path, run_dir)
    run_dir.rename(tmp_path / "moved")
    run_training(demos_path, tmp_path / "moved", "bc", "resume=true")
    assert weights(tmp_path / "moved") == weights(trained)
