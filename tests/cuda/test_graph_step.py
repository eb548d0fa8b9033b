"""The training step that a GPU records and replays: the losses of the eager loop, whatever the policy."""

import copy

import pytest
import torch

from s2robot.seeding import mixed_seed
from s2robot.training.static import StaticStep
from s2robot.training.step import EagerStep, Step, make_step
from tests.training.step_cases import NAMES, made_trainer, made_windows

STEPS = 100


def losses(take_step: Step, steps: range = range(STEPS)) -> torch.Tensor:
    rows = []
    for step in steps:
        torch.manual_seed(mixed_seed(0, step))
        rows.append(torch.stack(take_step(step)))
    return torch.stack(rows).cpu()


def is_replayed(step: Step) -> bool:
    return isinstance(step, StaticStep) and step._graph is not None and step._graph._recorded is not None


@pytest.mark.parametrize("features", ["cuda", "cpu"])
@pytest.mark.parametrize("name", NAMES)
def test_losses_are_those_of_the_eager_loop(name: str, features: str) -> None:
    eager, graphed = made_trainer(name, "cuda"), made_trainer(name, "cuda", graph="always")
    on = "cuda" if features == "cuda" else "cpu"
    # cuDNN may choose algorithms that add up in another order each time; Adam makes much of that in 100 steps
    with torch.backends.cudnn.flags(enabled=True, deterministic=True):
        expected = losses(EagerStep(eager, made_windows(eager.policy.config, on), 0, range(STEPS)))
        step = make_step(graphed, made_windows(graphed.policy.config, on), 0, range(STEPS))
        found = losses(step)
    assert is_replayed(step)
    torch.testing.assert_close(found[:, 0], expected[:, 0], rtol=1e-5, atol=0)


def test_resumed_behind_the_recording_it_goes_on_with_the_same_losses() -> None:
    whole, stopped = made_trainer("flow", "cuda"), made_trainer("flow", "cuda")
    windows = made_windows(whole.policy.config, "cuda")
    expected = losses(make_step(whole, windows, 0, range(40)), range(40))
    losses(make_step(stopped, windows, 0, range(40)), range(20))
    resumed = made_trainer("flow", "cuda")
    state = copy.deepcopy(stopped.state())
    for key, value in resumed.state().items():
        value.copy_(state[key])
    resumed.step = resumed.ema.optimization_step = 20
    found = losses(make_step(resumed, windows, 0, range(20, 40)), range(20, 40))
    torch.testing.assert_close(found, expected[20:], rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_waits_for_the_gpu(name: str) -> None:
    trainer = made_trainer(name, "cuda")
    step = make_step(trainer, made_windows(trainer.policy.config, "cuda"), 0, range(20))
    losses(step, range(6))
    torch.cuda.set_sync_debug_mode("error")
    try:
        taken = [step(number) for number in range(6, 12)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(loss.isfinite() for loss, _ in taken)
