"""A dataset and an environment with other names: `env.keys` in training and in evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest

from s2robot import plugins
from tests.commands.command_line import assert_one_line, status_here
from tests.datasets.small_files import demo, write
from tests.training.tiny_training import options

ENV = "env.id=tests.rollouts.renamed_env:Renamed-v0"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers import the environment too, and those of other tests do not."""
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def dataset(path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = {"actions": rng.uniform(-1, 1, (6, 2)), "obs__dot_position": rng.uniform(-1, 1, (6, 2))}
    frames = rng.integers(0, 256, (6, 8, 12, 3)).astype(np.uint8)
    demos = [demo(6, seed, **arrays, obs__agentview_image=frames) for seed in range(3)]
    return write(path, demos, env_args=None)


def test_names_given_to_a_training_hold_in_its_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run_dir = tmp_path / "run"
    rollouts = ["rollout.every=2", "rollout.episodes=1", "optim.steps=2", "data.proprio=[dot_position]"]
    words = options(dataset(tmp_path / "d.hdf5"), run_dir, "bc", *rollouts, ENV)
    assert status_here(monkeypatch, "train.py", *words) == 2
    assert_one_line(capsys.readouterr().err, "does not observe 'agentview_image'", "env.keys=")

    names = ["env.keys={agentview: agentview_rgb, dot_position: dot}", "env.orientation=flipped_rows"]
    assert status_here(monkeypatch, "train.py", *words, *names) == 0
    assert "frames of agentview_rgb are flipped" in capsys.readouterr().out
    metrics = (run_dir / "metrics.jsonl").read_text()
    assert "rollout/success_rate" in metrics

    evaluation = ("eval.py", f"checkpoint={run_dir}/checkpoints/last", "episodes=1", "workers=1", ENV)
    assert status_here(monkeypatch, *evaluation, "backend=torch") == 0
    plan = json.loads((run_dir / "eval" / "default" / "seeds.json").read_text())
    assert plan["identity"]["keys"] == {"agentview_image": "agentview_rgb", "dot_position": "dot"}
    assert plan["identity"]["flips"] == {"agentview_rgb": [0]}
    capsys.readouterr()
    assert status_here(monkeypatch, *evaluation, "env.keys={agentvew: agentview_rgb}") == 2
    assert_one_line(capsys.readouterr().err, "'agentvew'; did you mean 'agentview'")
