"""A training is never lost to another one in the same folder."""

import shutil
from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.runs import metrics
from s2robot.runs.lock import locked
from s2robot.training.trainer import Trainer
from tests.training.tiny_training import run_training, weights


class Killed(BaseException):
    """Nothing in the program catches it, as nothing catches SIGKILL."""


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def good(trained: Path, tmp_path: Path) -> Path:
    """A finished training with an evaluation and somebody's notes."""
    run_dir = Path(shutil.copytree(trained, tmp_path / "good", symlinks=True))
    (run_dir / "eval" / "default" / "videos").mkdir(parents=True)
    (run_dir / "eval" / "default" / "videos" / "seed_100000.mp4").write_text("hours of rollouts")
    (run_dir / "eval" / "default" / "episodes.jsonl").write_text("")
    (run_dir / "notes.txt").write_text("mine")
    return run_dir


def test_the_same_command_again_is_refused(demos_path: Path, good: Path) -> None:
    before = files(good)
    with pytest.raises(UserError) as error:
        run_training(demos_path, good)
    for told in ("holds a training already", "resume=true", "overwrite=true", "another run_dir", str(good)):
        assert told in str(error.value)
    assert files(good) == before


def test_overwriting_leaves_nothing_of_the_earlier_training(
    demos_path: Path, trained: Path, good: Path
) -> None:
    run_training(demos_path, good, "bc", "overwrite=true", "optim.steps=3")
    assert weights(good) != weights(trained)
    assert {line["step"] for line in metrics.read(good)} == {3}
    assert sorted(path.name for path in good.iterdir()) == sorted(
        [*(path.name for path in trained.iterdir()), "notes.txt"]
    )


def test_a_training_that_dies_at_once_gives_the_good_one_back(
    demos_path: Path, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(good)
    with pytest.raises(UserError, match="not finite"):
        run_training(demos_path, good, "bc", "overwrite=true", "optim.learning_rate=1e30")
    assert "the earlier training is back" in capsys.readouterr().out
    assert files(good) == before


@pytest.fixture
def killed(demos_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the good one had; the training that was to replace it is killed before its first checkpoint."""
    before = files(good)

    def kill(trainer: Trainer, *_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", kill)
        patch.setattr("s2robot.runs.folder.put_back", lambda _: None)  # nothing runs after a kill
        with pytest.raises(Killed):
            run_training(demos_path, good, "bc", "overwrite=true", "seed=1")
    assert not (good / "checkpoints").exists()
    return before


def test_after_a_kill_the_next_command_puts_the_good_one_back(
    killed: dict[str, bytes], demos_path: Path, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="holds a training already"):
        run_training(demos_path, good)
    assert "the earlier training is back" in capsys.readouterr().out
    assert files(good) == killed


def test_after_a_kill_the_same_command_goes_on(
    killed: dict[str, bytes], demos_path: Path, good: Path, tmp_path: Path
) -> None:
    run_training(demos_path, good, "bc", "overwrite=true", "seed=1")
    run_training(demos_path, tmp_path / "other", "bc", "seed=1")
    assert weights(good) == weights(tmp_path / "other")
    assert not (good / ".replaced").exists()


def test_a_second_training_in_one_folder_is_refused(demos_path: Path, tmp_path: Path) -> None:
    with locked(tmp_path, "run_dir"), pytest.raises(UserError, match="is being written by process"):
        run_training(demos_path, tmp_path, "bc", "resume=true")


def test_a_training_whose_evaluation_runs_is_not_replaced(demos_path: Path, good: Path) -> None:
    before = files(good)
    with locked(good / "eval" / "default", "eval"), pytest.raises(UserError, match=r"eval/default is being"):
        run_training(demos_path, good, "bc", "overwrite=true")
    assert files(good) == before


def test_a_begun_training_without_a_checkpoint_may_begin_again(
    demos_path: Path, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="not finite"):
        run_training(demos_path, tmp_path, "bc", "optim.learning_rate=1e30")
    run_training(demos_path, tmp_path)
    assert weights(tmp_path) == weights(trained)
