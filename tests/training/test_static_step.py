"""The form of a step that a GPU can record computes what the eager loop does, and waits for nothing."""

import copy
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from s2robot import parallel
from s2robot.device import GraphError
from s2robot.errors import UserError
from s2robot.policies import sequence
from s2robot.seeding import mixed_seed
from s2robot.training import static
from s2robot.training import step as step_module
from s2robot.training.options import OptimConfig
from s2robot.training.static import StaticStep
from s2robot.training.step import EagerStep, Step, make_step
from tests.training.step_cases import NAMES, OffDevice, Recorder, made_trainer, made_windows

STEPS = 100


def losses(take_step: Step, steps: int = STEPS) -> torch.Tensor:
    """Loss and norm of the gradient of each step, with the noise that the loop would give it."""
    rows = []
    for step in range(steps):
        torch.manual_seed(mixed_seed(0, step))
        rows.append(torch.stack(take_step(step)))
    return torch.stack(rows)


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_averages_are_those_of_the_eager_loop(name: str) -> None:
    eager, fixed = made_trainer(name), made_trainer(name)
    windows = made_windows(eager.policy.config)

    expected = losses(EagerStep(eager, windows, 0, range(STEPS)))
    found = losses(StaticStep(fixed, windows, 0, range(STEPS), graph=False))

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert expected[-10:, 0].mean() < 0.95 * expected[:10, 0].mean()  # it is a training
    assert (eager.step, eager.rate) == (fixed.step, fixed.rate)
    for key, value in eager.state().items():  # weights, averages, moments, steps
        torch.testing.assert_close(fixed.state()[key], value, rtol=1e-4, atol=1e-6, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_graph_would_record_is_the_same_in_every_step(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number of one step is in it: learning rate, decay, windows and noise come from memory and seed."""
    monkeypatch.setattr(sequence, "READ_ONCE", ())  # as on a GPU
    trainer = made_trainer(name)
    step = StaticStep(trainer, made_windows(trainer.policy.config), 0, range(STEPS), graph=False)
    recorded = []
    compute = step._compute

    def recording() -> None:
        with Recorder() as recorder:
            compute()
        recorded.append(recorder)

    losses(step, 3)
    monkeypatch.setattr(step, "_compute", recording)
    losses(step, 3)

    first, second, third = recorded
    assert first.calls == second.calls == third.calls
    assert len(first.calls) > 50 and first.reads() == []


@pytest.mark.parametrize(
    ("name", "precision"),
    [*((name, "fp32") for name in NAMES), ("bc", "bf16"), ("bc", "fp16"), ("flow", "bf16")],
)
def test_a_step_of_the_eager_loop_reads_nothing_back(
    name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "READ_ONCE", ())
    trainer = made_trainer(name, precision=precision)
    batch = made_windows(trainer.policy.config).batch(torch.arange(8))
    trainer.update(trainer.loss(batch))
    with Recorder() as recorder:
        trainer.update(trainer.loss(batch))
    assert recorder.reads() == []


def test_the_recorder_sees_what_would_wait() -> None:
    values = torch.ones(3)
    with Recorder() as recorder:
        values.sum().item()
        values[values > 0]
        values[torch.tensor([0])]
        values[values > 0] = 1.0
    assert [read.split(".")[1] for read in recorder.reads()] == ["_local_scalar_dense", "index", "index_put_"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_step_is_made_on_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from the CPU's memory waits for a GPU; the meta device stands for the GPU."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())  # it knows no meta device
    trainer = made_trainer(name)
    batch = made_windows(trainer.policy.config).batch(torch.arange(8)).to(torch.device("meta"))
    policy = trainer.policy.to("meta").train()
    policy.loss(batch)  # tables of noise levels are made in the first step
    with OffDevice() as off:
        policy.loss(batch)[0].backward()
    assert off.noted == []


@pytest.mark.parametrize("name", ["bc_paper", "flow"])
def test_batches_from_elsewhere_are_copied_to_where_the_step_reads_them(name: str) -> None:
    """As where features are in RAM: the step begins behind the copy."""
    trainers = [made_trainer(name) for _ in range(2)]
    steps = [StaticStep(one, made_windows(one.policy.config), 0, range(20), graph=False) for one in trainers]
    steps[1]._gathers = False
    gathered, copied = (losses(step, 20) for step in steps)
    assert torch.equal(copied, gathered)
    assert steps[1]._batch is not None and steps[0]._batch is None


@pytest.mark.parametrize("graph", ["auto", "always"])
def test_a_step_that_cannot_be_recorded(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unwilling:
        def __init__(self, function: Any, device: Any) -> None:
            self.function, self.calls = function, 0

        def __call__(self) -> None:
            self.calls += 1
            if self.calls == 4:
                raise GraphError("operation not permitted when stream is capturing")
            self.function()

    monkeypatch.setattr(static, "Graph", Unwilling)
    trainer, again = made_trainer("flow", graph=graph), made_trainer("flow")
    windows = made_windows(trainer.policy.config)
    step = StaticStep(trainer, windows, 0, range(STEPS))
    reason = "the step of flow cannot be recorded: operation not permitted when stream is capturing"
    if graph == "always":
        with pytest.raises(UserError, match=rf"optim.graph=always is not possible: {reason}; use"):
            losses(step, 10)
        return
    found = losses(step, 10)
    assert capsys.readouterr().out == f"steps are not replayed as a graph: {reason}\n"
    assert torch.equal(found, losses(StaticStep(again, windows, 0, range(STEPS), graph=False), 10))


def test_a_resumed_training_takes_the_same_steps() -> None:
    """What a checkpoint holds is enough: nothing else is carried from step to step."""
    whole, stopped = made_trainer("diffusion_unet"), made_trainer("diffusion_unet")
    windows = made_windows(whole.policy.config)
    expected = losses(StaticStep(whole, windows, 0, range(20), graph=False), 20)
    losses(StaticStep(stopped, windows, 0, range(20), graph=False), 12)

    resumed = made_trainer("diffusion_unet")
    state = copy.deepcopy(stopped.state())
    for key, value in resumed.state().items():
        value.copy_(state[key])
    resumed.step = resumed.ema.optimization_step = 12
    rest = StaticStep(resumed, windows, 0, range(12, 20), graph=False)
    for step in range(12, 20):
        torch.manual_seed(mixed_seed(0, step))
        assert torch.equal(torch.stack(rest(step)), expected[step])
    for key, value in whole.state().items():
        assert torch.equal(resumed.state()[key], value), key


def test_where_there_can_be_no_graph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = made_trainer("bc")
    windows = made_windows(trainer.policy.config)
    assert isinstance(make_step(trainer, windows, 0, range(9)), EagerStep)
    assert capsys.readouterr().out == ""  # of a CPU nobody expects one
    trainer.optim.graph = "always"
    with pytest.raises(UserError, match=r"needs a CUDA GPU, and the device is cpu; use optim.graph=auto"):
        make_step(trainer, windows, 0, range(9))

    trainer = made_trainer("bc", precision="fp16")
    trainer.device = torch.device("cuda")
    monkeypatch.setattr(step_module, "batches", lambda *given: iter(()))  # there is no GPU to copy to
    assert isinstance(make_step(trainer, windows, 0, range(9)), EagerStep)
    assert "not replayed as a graph: optim.precision=fp16 leaves steps out" in capsys.readouterr().out
    monkeypatch.setattr(parallel, "count", lambda: 2)
    make_step(trainer, windows, 0, range(9))
    assert "not replayed as a graph: several processes join" in capsys.readouterr().out
    trainer.optim.graph = "never"
    make_step(trainer, windows, 0, range(9))
    assert capsys.readouterr().out == ""


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown optim.graph 'alway'; did you mean 'always'"):
        OptimConfig(graph="alway").check()
