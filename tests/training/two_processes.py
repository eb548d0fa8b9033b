"""What test_parallel.py starts with torchrun: `two_processes.py OUT DEMOS`. Each process does this."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch

sys.path.append(str(Path(__file__).parents[2]))

from safetensors.torch import save_file

from s2robot import parallel
from s2robot.training.options import OptimConfig
from s2robot.training.trainer import Trainer
from s2robot.types import Batch
from tests.policies.policy_cases import CASES, fitted, make_batch
from tests.training.tiny_training import run_training

ROWS = 5  # 3 for the first process, 2 for the second, which also has the masked row
STOP_AT = 5  # the step before which the second process is told to stop


def joint_gradients(case: str) -> dict[str, torch.Tensor]:
    """Loss and gradient of one step of a policy on 5 rows, shared by as many processes as there are.

    Noise is a constant: each process would draw its own.
    """
    name, options = CASES[case]
    policy = fitted(name, **options)
    trainer = Trainer(policy.eval(), OptimConfig(gradient_clip=1e9), Path(), {})
    rows = parallel.share(torch.arange(ROWS))
    batch = rows_of(make_batch(policy.config, ROWS), rows)
    with (
        patch("torch.randn_like", lambda values: torch.full_like(values, 0.3)),
        patch("torch.rand", lambda *shape, device: torch.full(shape, 0.4)),
        patch("torch.randint", lambda last, shape, device: torch.full(shape, last // 2)),
    ):
        loss, norm = trainer.update(trainer.loss(batch))
    gradients = {
        f"d/d {name}": p.grad.clone() for name, p in trainer.parameters.items() if p.grad is not None
    }
    return gradients | {"loss": loss, "norm": norm}


def rows_of(batch: Batch, rows: torch.Tensor) -> Batch:
    parts = {key: value[rows] for key, value in vars(batch).items() if key not in ("obs", "future")}
    future = {key: values[rows] for key, values in batch.future.items()}
    return replace(batch, obs=batch.obs.map(lambda values: values[rows]), future=future, **parts)


def main() -> None:
    out, demos = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    parallel.join("cpu")
    run_training(demos, out / "run")

    update = Trainer.update

    def told_to_stop(trainer: Trainer, loss: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if trainer.step == STOP_AT and parallel.rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(trainer, loss)

    Trainer.update = told_to_stop  # type: ignore[method-assign, assignment]
    try:
        run_training(demos, out / "stopped", "bc", "optim.steps=30")
    except SystemExit as stopped:
        assert stopped.code == 128 + signal.SIGTERM
    Trainer.update = update  # type: ignore[method-assign]

    gradients = {f"{case}/{name}": value for case in CASES for name, value in joint_gradients(case).items()}
    if parallel.is_main():
        save_file(gradients, out / "gradients.safetensors")


if __name__ == "__main__":
    main()
