"""A path that a user gives may name a run or a checkpoint."""

from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.runs.finding import find_checkpoint, run_dir


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one checkpoint, of which only the description is there."""
    step = tmp_path / "run" / "checkpoints" / "step_00000002"
    step.mkdir(parents=True)
    (step / "checkpoint.json").write_text("{}")
    (step.parent / "last").symlink_to(step.name)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("", "checkpoints/last"),
        ("checkpoints", "checkpoints/last"),
        ("checkpoints/last", "checkpoints/last"),
        ("checkpoints/step_00000002", "checkpoints/step_00000002"),
    ],
)
def test_a_run_stands_for_its_last_checkpoint(named: str, found: str, run: Path) -> None:
    assert find_checkpoint(run / named) == run / found
    assert run_dir(run / named) == run


@pytest.mark.parametrize("lost", ["text", "dead", "absent"])
def test_without_the_link_the_newest_is_taken_and_told(
    lost: str, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = run / "checkpoints" / "last"
    last.unlink()
    if lost == "text":  # as a checkout on Windows leaves it
        last.write_text("step_00000002")
    if lost == "dead":
        last.symlink_to("step_00000009")
    for named in (run, run / "checkpoints", last):
        caplog.clear()
        assert find_checkpoint(named) == run / "checkpoints" / "step_00000002"
        assert "last leads to no checkpoint: was it lost in a copy? step_00000002 is taken" in caplog.text


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nowhere", ["no checkpoint at", "nowhere", "RUN/checkpoints/last"]),
        ("run/checkpoints/best", ["checkpoints has last, step_00000002", "did you mean 'last'?"]),
        ("run/checkpoints/last/checkpoint.json", ["expected a run, or a folder with checkpoint.json"]),
    ],
)
def test_what_is_neither_is_refused(named: str, told: list[str], run: Path) -> None:
    with pytest.raises(UserError) as error:
        find_checkpoint(run.parent / named)
    for words in told:
        assert words in str(error.value)


def test_a_checkpoint_taken_elsewhere_is_a_run_by_itself(tmp_path: Path) -> None:
    assert run_dir(tmp_path / "downloaded") == tmp_path / "downloaded"


def test_a_training_that_is_kept_aside_is_named(tmp_path: Path) -> None:
    (tmp_path / "run" / ".replaced" / "checkpoints").mkdir(parents=True)
    for path in (tmp_path / "run", tmp_path / "run" / "checkpoints" / "last"):
        with pytest.raises(UserError, match=r"is in .*\.replaced, the next `s2robot train` puts it back"):
            find_checkpoint(path)
