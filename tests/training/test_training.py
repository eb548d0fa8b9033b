"""What a training reads, writes and refuses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from s2robot.policies import make_policy
from s2robot.policies.bc import BC
from s2robot.runs import checkpoint, metrics
from s2robot.runs.metrics import MetricsLog
from s2robot.training.batches import windows_of_step
from s2robot.training.trainer import Trainer
from s2robot.types import Batch
from tests.training.tiny_training import STEPS, description, run_training, weights


@contextmanager
def image_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the image datasets that are read from HDF5 files meanwhile."""
    reads: list[str] = []
    getitem = h5py.Dataset.__getitem__

    def noting(dataset: h5py.Dataset, *args: object, **kwargs: object) -> object:
        if dataset.name.endswith("_image"):
            reads.append(dataset.name)
        return getitem(dataset, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(h5py.Dataset, "__getitem__", noting)
        yield reads


def test_frames_are_encoded_by_the_first_training_only_and_none_is_read_while_training(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path / "cache"))
    frames = sum(open_dataset(demos_path).lengths)
    run_training(demos_path, tmp_path / "first")
    assert f"features of agentview: {frames} frames encoded" in capsys.readouterr().out

    read_before: list[int] = []  # how much was read when each step was taken
    with image_reads(monkeypatch) as second:
        update = Trainer.update

        def noting(trainer: Trainer, loss: Tensor) -> tuple[Tensor, Tensor]:
            read_before.append(len(second))
            return update(trainer, loss)

        monkeypatch.setattr(Trainer, "update", noting)
        run_training(demos_path, tmp_path / "second")

    assert read_before == [len(second)] * STEPS  # only those that go into the checkpoint, before any step
    said = capsys.readouterr().out
    for camera in ("agentview", "robot0_eye_in_hand"):
        assert f"features of {camera}: 0 frames encoded, {frames} found" in said
    assert weights(tmp_path / "second") == weights(tmp_path / "first")


def test_metrics_checkpoints_and_links(trained: Path) -> None:
    lines = metrics.read(trained)
    assert [line["step"] for line in lines if "train/loss" in line] == [3, 6, 9, 12]
    assert {name for line in lines for name in line} == {
        "step",
        *("train/loss", "train/gradient_norm", "train/learning_rate"),
        *("speed/samples_per_s", "speed/waiting_for_data"),
        *("valid/loss", "valid/action_error"),
    }
    errors = {line["step"]: line["valid/action_error"] for line in lines if "valid/action_error" in line}
    assert list(errors) == [6, 12]

    folder = trained / "checkpoints"
    best = min(errors, key=errors.__getitem__)
    assert (folder / "last").readlink() == Path(f"step_{STEPS:08d}")
    assert (folder / "best").readlink() == Path(f"step_{best:08d}")
    assert {path.name for path in folder.glob("step_*")} == {f"step_{step:08d}" for step in (best, STEPS)}
    assert description(trained)["metrics"]["valid/action_error"] == errors[STEPS]
    assert set(json.loads((trained / "timings.json").read_text())) == {"features", "train", "validate"}


def test_the_parts_of_a_loss_are_logged(demos_path: Path, tmp_path: Path) -> None:
    options = ("policy.foresee=[4,-1]", "policy.foresee_weight=0.5", "optim.steps=2", "policy.hidden=[64]")
    run_training(demos_path, tmp_path, "bc", *options)
    *_, last = (line for line in metrics.read(tmp_path) if "valid/loss" in line)
    assert last["valid/foresight"] > 0
    assert last["valid/loss"] == pytest.approx(last["valid/l1"] + 0.5 * last["valid/foresight"], rel=1e-5)


def test_learning_lowers_the_loss(demos_path: Path, tmp_path: Path) -> None:
    run_training(
        demos_path, tmp_path, "bc", "optim.steps=100", "optim.learning_rate=3e-3", "policy.hidden=[64]"
    )
    losses = [line["train/loss"] for line in metrics.read(tmp_path) if "train/loss" in line]
    assert np.mean(losses[-3:]) < 0.7 * losses[0]


def test_no_steps_leave_the_untrained_policy(demos_path: Path, tmp_path: Path) -> None:
    run_training(demos_path, tmp_path, "diffusion_unet", "optim.steps=0", "seed=3")
    loaded = checkpoint.load(tmp_path / "checkpoints" / "last")
    assert loaded.step == 0
    fresh = make_policy(loaded.policy.spec, loaded.policy.config, seed=3)
    for name, parameter in fresh.named_parameters():
        assert torch.equal(loaded.policy.get_parameter(name), parameter), name
    assert not torch.equal(
        loaded.policy.actions.normalizer.scale, fresh.actions.normalizer.scale
    )  # but normalisation is there


def test_without_validation_the_latest_is_the_best(demos_path: Path, tmp_path: Path) -> None:
    run_training(demos_path, tmp_path, "bc", "data.valid=null")
    assert weights(tmp_path, "best") == weights(tmp_path, "last")
    assert description(tmp_path)["metrics"] == {}
    assert description(tmp_path)["best"] is None


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_numbers_that_are_not_finite_stop_it_at_their_demonstration(
    where: str, demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = BC.loss
    step_of_nan = 6  # a checkpoint is due after it and before the next line of the log

    def loss(policy: BC, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        value, numbers = honest(policy, batch)
        if policy.training and len(seen) == step_of_nan:
            value = value * torch.nan if where == "loss" else value + _infinite_slope(value - value)
        if policy.training:
            seen.append(batch.windows)
        return value, numbers

    seen: list[Tensor] = []
    monkeypatch.setattr(BC, "loss", loss)
    with pytest.raises(UserError) as error:
        run_training(demos_path, tmp_path, "bc", "optim.batch_size=1")

    demos = open_dataset(demos_path)
    train_frames = [frame for i in demos.split("train") for frame in demos.frames_of([i])]
    (window,) = windows_of_step(len(train_frames), 1, seed=0, step=step_of_nan).tolist()
    episode = np.searchsorted(demos.offsets, train_frames[window], side="right") - 1
    assert str(error.value).startswith(f"loss or gradient is not finite at step {step_of_nan}: ")
    assert str(error.value).endswith(f"demonstrations demo_{episode}")
    assert description(tmp_path)["step"] in (4, 6)  # 6 if that was the best
    assert all(value.isfinite().all() for value in checkpoint.load(_last(tmp_path)).policy.parameters())


def test_checkpoint_holds_the_averaged_weights_under_every_name(demos_path: Path, tmp_path: Path) -> None:
    """robomimic's RNN holds its output layers under two names, the parameters have one of them."""
    run_training(demos_path, tmp_path, "bc_rnn_gmm", "policy.hidden=[16]", "policy.rnn_dim=16")
    saved = load_file(_last(tmp_path) / "model.safetensors")
    state = load_file(_last(tmp_path) / "training.safetensors")
    policy = checkpoint.load(_last(tmp_path)).policy
    assert len(dict(policy.named_parameters())) < len(dict(policy.named_parameters(remove_duplicate=False)))
    for name, parameter in policy.named_parameters():
        assert torch.equal(parameter, state[f"ema.{name}"])
    for name, parameter in policy.named_parameters(remove_duplicate=False):
        assert torch.equal(parameter, saved[name])


def test_a_mixture_that_diverges_is_told_as_any_other(demos_path: Path, tmp_path: Path) -> None:
    """torch.distributions, left to themselves, raise a bare ValueError here."""
    with pytest.raises(UserError, match=r"is not finite at step \d: .* demonstrations demo_"):
        run_training(demos_path, tmp_path, "bc_gmm", "policy.hidden=[16]", "optim.learning_rate=1e30")


def _infinite_slope(zero: Tensor) -> Tensor:
    """0 with an infinite derivative: a finite loss whose gradient is not."""
    return zero.abs().sqrt()


def _last(run_dir: Path) -> Path:
    return run_dir / "checkpoints" / "last"


def test_metrics_of_a_killed_run_are_cut_at_its_checkpoint(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    for step in (2, 4, 6):
        log.write(step, {"train/loss": float(step)})
    log.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "tra')

    log = MetricsLog(tmp_path, 4)
    log.write(6, {"train/loss": 0.5})
    log.close()

    assert metrics.read(tmp_path) == [
        {"step": 2, "train/loss": 2.0},
        {"step": 4, "train/loss": 4.0},
        {"step": 6, "train/loss": 0.5},
    ]


def test_validation_leaves_the_weights_as_they_were(demos_path: Path, tmp_path: Path, trained: Path) -> None:
    run_training(demos_path, tmp_path, "bc", "optim.valid_every=1")
    assert weights(tmp_path)["training.safetensors"] == weights(trained)["training.safetensors"]


def test_averaged_weights_are_what_is_saved_to_act(trained: Path) -> None:
    loaded = checkpoint.load(_last(trained))
    state = checkpoint.read_tensors(_last(trained) / "training.safetensors")
    for name, parameter in loaded.policy.named_parameters():
        assert torch.equal(parameter, state[f"ema.{name}"])
    assert any(
        not torch.equal(state[f"ema.{name}"], state[f"raw.{name}"])
        for name, _ in loaded.policy.named_parameters()
    )


def test_learning_rate_follows_the_schedule(trained: Path) -> None:
    rates = {
        line["step"]: line["train/learning_rate"] for line in metrics.read(trained) if "train/loss" in line
    }
    for step, rate in rates.items():  # two warm-up steps, then half a cosine over the other ten
        done = (step - 1 - 2) / (STEPS - 2)
        assert rate == pytest.approx(1e-3 * 0.5 * (1 + np.cos(np.pi * done)))


def test_bc_paper_is_trained_on_what_was_executed(demos_path: Path, tmp_path: Path) -> None:
    """The same demonstrations without what was executed beside the labels: another loss."""
    unrecorded = tmp_path / "unrecorded.hdf5"
    unrecorded.write_bytes(demos_path.read_bytes())
    with h5py.File(unrecorded, "r+") as file:
        for demo in file["data"].values():
            del demo["actions_executed"]
    small = ("policy.width=16", "policy.layers=1", "policy.history_dropout=0", "optim.steps=3")
    for path, run in ((demos_path, "executed"), (unrecorded, "labels")):
        run_training(path, tmp_path / run, "bc_paper", *small)
    executed, labels = (
        [line["train/loss"] for line in metrics.read(tmp_path / run) if "train/loss" in line]
        for run in ("executed", "labels")
    )
    assert executed != labels


def test_training_needs_no_environment(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "real.hdf5"
    path.write_bytes(demos_path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["data"].attrs["env_args"] = "RealArm"
    run_training(path, tmp_path / "run", "bc", "optim.steps=2")
    said = capsys.readouterr().out
    assert "env_args is no JSON object: 'RealArm': there will be no rollouts" in said
    assert description(tmp_path / "run")["spec"]["env_id"] == ""
