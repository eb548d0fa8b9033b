"""What may be another when a training goes on, what may not, and starting from other weights."""

import json
import os
import shutil
import signal
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import h5py
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import s2robot
from s2robot.errors import UserError
from s2robot.runs import checkpoint, record
from s2robot.training.trainer import Trainer
from tests.training.tiny_training import STEPS, description, run_training, weights


@pytest.fixture
def run_dir(trained: Path, tmp_path: Path) -> Path:
    """A finished training that may be changed."""
    return Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))


def test_a_finished_training_goes_on_with_more_steps(
    demos_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(demos_path, run_dir, "bc", "resume=true", f"optim.steps={STEPS + 3}")
    assert f"goes on at step {STEPS} of {STEPS + 3}" in capsys.readouterr().out
    assert description(run_dir)["step"] == STEPS + 3
    assert [start["step"] for start in record.read(run_dir)["starts"]] == [0, STEPS]


def test_intervals_backend_and_path_may_be_others(demos_path: Path, run_dir: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(demos_path, tmp_path / "elsewhere.hdf5"))
    intervals = ("optim.log_every=2", "optim.valid_every=5", "optim.checkpoint_every=2")
    steps = f"optim.steps={STEPS + 2}"
    run_training(moved, run_dir, "bc", "resume=true", *intervals, "encoder.backend=openvino", steps)
    assert description(run_dir)["step"] == STEPS + 2


def test_fewer_steps_are_done_already(
    demos_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights(run_dir)
    record_of = {name: (run_dir / name).read_bytes() for name in ("config.yaml", "run.json", "timings.json")}
    run_training(demos_path, run_dir, "bc", "resume=true", f"optim.steps={STEPS - 1}")
    assert {name: (run_dir / name).read_bytes() for name in record_of} == record_of
    assert f"{run_dir}: is trained already" in capsys.readouterr().out
    assert weights(run_dir) == before
    assert description(run_dir)["step"] == STEPS


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("actions", "demonstrations in data.path are no longer the same"),
        ("obs/robot0_eef_pos", "demonstrations in data.path are no longer the same"),
        ("obs/agentview_image", "agentview has other frames here"),
    ],
)
def test_other_data_under_the_same_path_are_refused(
    key: str, told: str, demos_path: Path, run_dir: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copy(demos_path, tmp_path / "other.hdf5"))
    with h5py.File(other, "r+") as file:
        for demo in file["data"].values():
            demo[key][:] = demo[key][:][::-1].copy()
    before = weights(run_dir)
    with pytest.raises(UserError, match="cannot be resumed") as error:
        run_training(other, run_dir, "bc", "resume=true", f"optim.steps={STEPS + 1}")
    assert told in str(error.value)
    assert weights(run_dir) == before


def test_a_copied_run_goes_on(demos_path: Path, trained: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(trained, tmp_path / "copied"))  # as cp -rL: links become folders
    assert not (copied / "checkpoints" / "last").is_symlink()
    best = weights(copied, "best")

    run_training(demos_path, copied, "bc", "resume=true", f"optim.steps={STEPS + 1}", "data.valid=valid")

    last = copied / "checkpoints" / "last"
    assert last.readlink() == Path(f"step_{STEPS + 1:08d}")
    assert (copied / "checkpoints" / "best").is_symlink()
    if (copied / "checkpoints" / "best").readlink() != last.readlink():
        assert weights(copied, "best") == best


def test_a_training_whose_link_is_missing_goes_on(demos_path: Path, run_dir: Path) -> None:
    (run_dir / "checkpoints" / "last").unlink()
    run_training(demos_path, run_dir, "bc", "resume=true", f"optim.steps={STEPS + 1}")
    assert record.read(run_dir)["starts"][-1]["step"] == STEPS


def interrupt(monkeypatch: pytest.MonkeyPatch, step: int, number: signal.Signals) -> None:
    update = Trainer.update

    def interrupted(trainer: Trainer, loss: Tensor) -> tuple[Tensor, Tensor]:
        if trainer.step == step:
            os.kill(os.getpid(), number)
        return update(trainer, loss)

    monkeypatch.setattr(Trainer, "update", interrupted)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_ctrl_c_saves_as_sigterm_does(
    name: str,
    status: int,
    demos_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupt(monkeypatch, 4, signal.Signals[name])
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit) as exit_:
        run_training(demos_path, tmp_path)
    assert exit_.value.code == status
    assert f"stopped by {name}, saved at step 5" in capsys.readouterr().out
    assert description(tmp_path)["step"] == 5
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    (start,) = record.read(tmp_path)["starts"]
    assert (start["ended"]["how"], start["ended"]["step"], start["ended"]["reason"]) == ("stopped", 5, name)


def test_the_record_of_a_run(trained: Path) -> None:
    (start,) = record.read(trained)["starts"]
    assert (start["ended"]["how"], start["ended"]["step"], start["step"]) == ("finished", STEPS, 0)
    assert start["versions"]["s2robot"] == s2robot.__version__
    assert start["versions"]["torch"] == version("torch")
    assert start["hardware"]["cores"] >= 1 and start["hardware"]["device"] == "cpu"
    assert start["commit"] == record.source_state()[0]
    assert start["command"].startswith("s2robot train ") and datetime.fromisoformat(start["date"]).tzinfo


def test_a_failure_is_recorded(demos_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        run_training(demos_path, tmp_path, "bc", "optim.learning_rate=1e30")
    ended = record.read(tmp_path)["starts"][0]["ended"]
    assert ended["how"] == "failed" and "not finite" in ended["reason"]


@pytest.mark.parametrize("text", ["[]", "{", '{"starts": 3}', "\x00"])
def test_a_damaged_record_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / record.NAME).write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        record.read(tmp_path)


def test_starting_from_the_weights_of_another_training(
    demos_path: Path, trained: Path, tmp_path: Path
) -> None:
    last = trained / "checkpoints" / "last"
    run_training(demos_path, tmp_path, "bc", f"init_from={last}", "optim.steps=0", "seed=9")
    assert weights(tmp_path)["model.safetensors"] == weights(trained)["model.safetensors"]


def test_starting_from_weights_that_do_not_fit(demos_path: Path, trained: Path, tmp_path: Path) -> None:
    words = (f"init_from={trained / 'checkpoints' / 'last'}", "policy.hidden=[17]")
    with pytest.raises(
        UserError, match=r"does not fit the policy: \S+ is \[56, 16\] there and \[56, 17\] here"
    ) as error:
        run_training(demos_path, tmp_path / "run", "bc", *words)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_starting_from_another_policy_names_both(demos_path: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of policy 'bc' and cannot start one of 'act'; give policy=bc"):
        run_training(demos_path, tmp_path / "run", "act", f"init_from={trained / 'checkpoints' / 'last'}")


@pytest.mark.parametrize(("keep", "steps"), [("1", [12]), ("2", [8, 12]), ("all", [4, 6, 8, 12])])
def test_the_newest_checkpoints_are_kept(
    keep: str, steps: list[int], demos_path: Path, tmp_path: Path
) -> None:
    run_training(demos_path, tmp_path, "bc", f"checkpoint.keep={keep}")
    best = (tmp_path / "checkpoints" / "best").readlink().name
    there = {path.name for path in (tmp_path / "checkpoints").glob("step_*")}
    assert there - {best} == {f"step_{step:08d}" for step in steps} - {best}


@pytest.mark.parametrize("keep", ["0", "none", "1.5", "-1", "true"])
def test_a_number_of_checkpoints_that_cannot_be(keep: str, demos_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint\.keep=.* must be a whole number from 1 on, or all"):
        run_training(demos_path, tmp_path, "bc", f"checkpoint.keep={keep}")


def test_a_checkpoint_that_moves_while_it_is_read_is_read_whole(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training saves and deletes in the middle of the reading: every part is of the later step."""
    folder = Path(shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints", symlinks=True))
    later = folder / "step_00000099"
    shutil.copytree(folder / "last", later)
    plain = json.loads((later / "checkpoint.json").read_text())
    (later / "checkpoint.json").write_text(json.dumps({**plain, "step": 99}))
    read = checkpoint.read_weights
    moved = list[Path]()

    def moving(path: Path) -> tuple[dict[str, Tensor], str]:
        if not moved:
            moved.append(path)
            (folder / "last").unlink()
            (folder / "last").symlink_to(later.name)
            shutil.rmtree(path)
        return read(path)

    monkeypatch.setattr(checkpoint, "read_weights", moving)
    loaded = checkpoint.load(folder / "last")
    assert (loaded.step, loaded.path) == (99, later)


def test_the_hash_is_that_of_the_bytes_that_were_loaded(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(trained / "checkpoints" / "last", tmp_path / "copy"))
    expected = checkpoint.load(folder)
    data = (folder / "model.safetensors").read_bytes()
    load = checkpoint.load_tensors

    def replaced_meanwhile(read: bytes) -> dict[str, Tensor]:
        (folder / "model.safetensors").write_bytes(b"other weights")
        return load(read)

    monkeypatch.setattr(checkpoint, "load_tensors", replaced_meanwhile)
    loaded = checkpoint.load(folder)
    assert loaded.sha256 == expected.sha256
    (folder / "model.safetensors").write_bytes(data)
    for name, tensor in load_file(folder / "model.safetensors").items():
        assert torch.equal(loaded.policy.state_dict()[name], tensor)
