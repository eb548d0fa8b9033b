"""Rollouts while training choose the best checkpoint, on seeds of their own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2robot.commands import train
from s2robot.errors import UserError
from s2robot.evaluation import selection
from s2robot.evaluation.options import RolloutConfig
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.runs import checkpoint, metrics
from tests.policies.policy_cases import SPEC
from tests.training.tiny_training import description, run_training, weights


def test_success_rate_chooses_and_the_later_of_equals(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter([0.5, 0.75, 0.75, 0.25])  # at steps 3, 6, 9, 12

    def success_rate(policy: Any, encoders: Any, device: Any, seeds: Any, mapping: Any) -> Any:
        assert seeds == list(range(50_000, 50_020))
        return lambda: {"rollout/success_rate": next(rates)}

    monkeypatch.setattr(train, "success_rate", success_rate)
    run_training(demos_path, tmp_path, "bc", "rollout.every=3")
    folder = tmp_path / "checkpoints"
    assert (folder / "best").readlink() == Path("step_00000009")
    assert (folder / "last").readlink() == Path("step_00000012")
    logged = [
        line["rollout/success_rate"] for line in metrics.read(tmp_path) if "rollout/success_rate" in line
    ]
    assert logged == [0.5, 0.75, 0.75, 0.25]


def test_real_rollouts_change_nothing_of_the_training(
    demos_path: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_episodes = selection.run_episodes
    played = []

    def noting(actor: Any, env_id: str, seeds: Any, env_kwargs: Any, **options: Any) -> Any:
        played.append(seeds)
        return run_episodes(actor, env_id, seeds, env_kwargs, **options)

    monkeypatch.setattr(selection, "run_episodes", noting)
    run_training(demos_path, tmp_path, "bc", "rollout.every=12", "rollout.episodes=2")
    assert played == [[50_000, 50_001]]
    assert description(tmp_path)["metrics"]["rollout/success_rate"] == 0.0
    assert weights(tmp_path)["model.safetensors"] == weights(trained)["model.safetensors"]
    loaded = checkpoint.load(tmp_path / "checkpoints" / "last")
    assert loaded.selection_seeds == {50_000, 50_001}
    with pytest.raises(UserError, match="chose the checkpoint"):
        evaluation_seeds(3, loaded.training_seeds | loaded.selection_seeds, 50_001)


@pytest.mark.parametrize(
    ("seed", "told"), [(99_981, "100000 and on are those of `s2robot eval`"), (49_990, "were trained on")]
)
def test_seeds_that_are_used_elsewhere_are_refused(seed: int, told: str) -> None:
    with pytest.raises(UserError, match=told):
        selection.selection_seeds(RolloutConfig(every=3, seed=seed), SPEC, training={50_000})


def test_dataset_without_its_environment_cannot_be_rolled_out() -> None:
    with pytest.raises(UserError, match="not possible: unknown environment 'Lift'"):
        selection.selection_seeds(RolloutConfig(every=3), replace(SPEC, env_id="Lift"), training={})
