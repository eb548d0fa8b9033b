"""Training in half precision: it learns, goes on where it stopped, and survives an overflow."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2robot.runs import checkpoint, metrics
from s2robot.training import precision as precisions
from s2robot.training.options import OptimConfig
from s2robot.training.trainer import Trainer
from tests.policies.policy_cases import fitted, make_batch
from tests.training.tiny_training import run_training, weights

HALF = ["bf16", "fp16"]


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize(("name", "head_args"), [("bc", {"hidden": 8}), ("flow", {})])
def test_computes_in_half_and_keeps_weights_whole(
    name: str, head_args: dict[str, Any], precision: str
) -> None:
    policy = fitted(name, head_args=head_args)
    batch = make_batch(policy.config)
    losses = {}
    for asked in ("fp32", precision):
        torch.manual_seed(0)  # the noise of a flow
        losses[asked] = Trainer(policy, OptimConfig(precision=asked), Path(), {}).loss(batch)
    assert 0 < abs(losses[precision] - losses["fp32"]) < 0.01 * losses["fp32"]
    trainer = Trainer(policy, OptimConfig(precision=precision), Path(), {})
    trainer.update(trainer.loss(batch))
    assert all(
        p.grad is not None and p.dtype == p.grad.dtype == torch.float32 for p in trainer.parameters.values()
    )


@pytest.mark.parametrize("precision", HALF)
def test_learns_and_resumes_bit_equal(
    precision: str, demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"optim.precision={precision}"
    run_training(demos_path, tmp_path / "whole", "bc", said)
    losses = [line["train/loss"] for line in metrics.read(tmp_path / "whole") if "train/loss" in line]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]

    update = Trainer.update

    def killed(trainer: Trainer, loss: torch.Tensor) -> Any:
        if trainer.step == 7:
            raise KeyboardInterrupt
        return update(trainer, loss)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", killed)
        with pytest.raises(KeyboardInterrupt):
            run_training(demos_path, tmp_path / "killed", "bc", said)
    run_training(demos_path, tmp_path / "killed", "bc", said, "resume=true")
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_step_that_overflows_in_fp16_is_left_out(tmp_path: Path) -> None:
    policy = fitted("bc")
    trainer = Trainer(policy, OptimConfig(precision="fp16"), tmp_path, {})
    batch = make_batch(policy.config)
    trainer.update(trainer.loss(batch))  # the scale is there from now on
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    scale = trainer.scaler.get_scale()

    _, norm = trainer.update(trainer.loss(batch) * 1e36)

    assert norm == 0
    assert trainer.scaler.get_scale() == scale / 2
    assert all(torch.equal(p, before[name]) for name, p in trainer.parameters.items())
    trainer.update(trainer.loss(batch))
    assert any(not torch.equal(p, before[name]) for name, p in trainer.parameters.items())


def test_checkpoint_acts_in_whole_precision(demos_path: Path, tmp_path: Path) -> None:
    run_training(demos_path, tmp_path, "bc", "optim.precision=bf16", "optim.steps=2")
    loaded = checkpoint.load(tmp_path / "checkpoints" / "last")
    assert all(p.dtype == torch.float32 for p in loaded.policy.parameters())


@pytest.mark.parametrize(
    ("half_s", "said"), [(0.5, ""), (70.0, "70 times as long; stop and say optim.precision=fp32")]
)
def test_emulated_half_precision_is_told_before_training(
    half_s: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def product_s(dtype: torch.dtype) -> float:
        return 1.0 if dtype == torch.float32 else half_s

    monkeypatch.setattr(precisions, "_product_s", product_s)
    cpu = torch.device("cpu")
    assert precisions.why_slow("bf16", cpu).endswith(said)
    assert bool(precisions.why_slow("fp16", cpu)) == bool(said)
    assert precisions.why_slow("fp32", cpu) == ""
    assert precisions.why_slow("bf16", torch.device("cuda")) == ""


def test_training_prints_that_precision_is_slow(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precisions, "_product_s", lambda dtype: 1.0 if dtype == torch.float32 else 70.0)
    run_training(demos_path, tmp_path / "run", "bc", "optim.precision=bf16", "optim.steps=1")
    assert "warning: optim.precision=bf16 is slower than fp32 on this CPU" in capsys.readouterr().out
