"""Training on stored views: other batches than without, the same ones after a stop."""

from pathlib import Path
from typing import Any

import pytest

from s2robot.errors import UserError
from s2robot.training.trainer import Trainer
from tests.training.tiny_training import description, run_training, weights


class Killed(BaseException):
    """Nothing in the program catches it, as nothing catches SIGKILL."""


def test_training_on_views_resumes_bit_equal(
    demos_path: Path, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_training(demos_path, tmp_path / "whole", "bc", "features.views=2")
    update = Trainer.update

    def killed_at_seven(trainer: Any, loss: Any) -> Any:
        if trainer.step == 7:
            raise Killed
        return update(trainer, loss)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", killed_at_seven)
        with pytest.raises(Killed):
            run_training(demos_path, tmp_path / "killed", "bc", "features.views=2")
    run_training(demos_path, tmp_path / "killed", "bc", "features.views=2", "resume=true")

    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert description(tmp_path / "whole")["config"]["features"]["views"] == 2
    plain = weights(trained)
    assert {name: weights(tmp_path / "whole")[name] == plain[name] for name in plain} == {
        name: name == "samples.safetensors"
        for name in plain  # samples are the frames as they are
    }


def test_views_that_cannot_be_are_refused_before_anything_is_made(demos_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a frame has 1 view or more, not 0"):
        run_training(demos_path, tmp_path / "run", "bc", "features.views=0")
    assert not (tmp_path / "run").exists()
