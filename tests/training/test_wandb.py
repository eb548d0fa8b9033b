"""Weights & Biases gets what metrics.jsonl has, when it is asked for and there."""

import sys
from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.runs import metrics
from tests.training.tiny_training import STEPS, run_training

STAND_IN = """
calls = []

class Run:
    def log(self, values, step):
        calls.append(("log", step, values))

    def finish(self):
        calls.append(("finish",))

def init(**options):
    calls.append(("init", options))
    return Run()
"""


def test_it_gets_the_same_numbers_in_one_run(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    run_dir = tmp_path / "run"
    run_training(demos_path, run_dir, "bc", "wandb=true", "wandb_project=mine")
    import wandb

    (_, options), *logged, finish = wandb.calls
    assert (options["project"], options["config"]["policy"]["name"]) == ("mine", "bc")
    assert [{"step": step, **values} for _, step, values in logged] == metrics.read(run_dir)
    assert finish == ("finish",)

    run_training(demos_path, run_dir, "bc", "wandb=true", "resume=true", f"optim.steps={STEPS + 1}")
    again = wandb.calls[len(logged) + 2][1]
    assert (again["id"], again["resume"]) == (options["id"], "allow")
    run_training(demos_path, run_dir, "bc", "wandb=true", "overwrite=true")  # anew: another run there
    assert wandb.calls[-len(logged) - 2][1]["id"] != options["id"]
    monkeypatch.delitem(sys.modules, "wandb")


def test_missing_it_is_told_before_anything_is_done(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="wandb=true: Weights & Biases is not installed; pip install wandb"):
        run_training(demos_path, tmp_path, "bc", "wandb=true")
    assert list(tmp_path.iterdir()) == []
