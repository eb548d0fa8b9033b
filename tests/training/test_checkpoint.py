"""Checkpoints come back bit for bit, and a damaged or hostile one is refused in one line and runs nothing."""

import copy
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.policies import POLICIES, Policy
from s2robot.rollouts.environment import check_environment
from s2robot.runs import checkpoint
from s2robot.types import Spec
from tests.killing import killed_at
from tests.policies.policy_cases import SPEC, fitted, make_batch, observed

SAMPLES = {"frames.agentview": torch.zeros(1, 4, 4, 3), "features.agentview": torch.ones(1, 2, 1, 1)}


def save(folder: Path, step: int, policy: Policy | None = None, links: tuple[str, ...] = ("last",)) -> Path:
    policy = policy or fitted("bc", seed=step, hidden=[8])
    description = {
        "spec": SPEC.to_dict(),
        "config": {"policy": vars(policy.config)},
        "encoders": {},
        "training_seeds": [3, 1],
        "selection_seeds": [50],
        "metrics": {"valid/loss": 0.5},
    }
    return checkpoint.save(
        folder, step, policy.state_dict(), {"raw.x": torch.ones(2)}, description, SAMPLES, links
    )


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_loaded_policy_predicts_the_same_bits(name: str, tmp_path: Path) -> None:
    policy = (
        fitted(name).eval().requires_grad_(False)
    )  # PyTorch chooses another kernel where a weight may learn
    save(tmp_path, 7, policy)

    loaded = checkpoint.load(tmp_path / "last")

    batch = make_batch(policy.config)
    generators = [[torch.Generator().manual_seed(row) for row in range(3)] for _ in range(2)]
    obs = observed(batch, policy.config)
    expected, _ = policy.predict(obs, None, generators[0])
    assert torch.equal(loaded.policy.predict(obs, None, generators[1])[0], expected)
    assert (loaded.step, loaded.training_seeds, loaded.metrics) == (7, {1, 3}, {"valid/loss": 0.5})
    assert loaded.policy.spec == SPEC
    assert loaded.policy.config == policy.config
    assert not loaded.policy.training
    assert not any(parameter.requires_grad for parameter in loaded.policy.parameters())


def test_files_have_the_permissions_of_any_new_file(trained: Path, tmp_path: Path) -> None:
    """A robot's account, or a container's, reads what another one trained."""
    usual = tmp_path / "usual"
    usual.touch()
    files = list((trained / "checkpoints" / "last").iterdir())
    assert {file.stat().st_mode for file in files} == {usual.stat().st_mode}


def test_files_are_tensors_and_json_and_nothing_else(trained: Path) -> None:
    folder = trained / "checkpoints" / "last"
    assert {path.name for path in folder.iterdir()} == {
        "checkpoint.json",
        "samples.safetensors",
        "model.safetensors",
        "training.safetensors",
    }
    json.loads((folder / "checkpoint.json").read_text(), parse_constant=pytest.fail)  # no NaN, no Infinity
    for file in folder.glob("*.safetensors"):
        assert load_file(file)


def test_older_checkpoints_go_and_linked_ones_stay(tmp_path: Path) -> None:
    save(tmp_path, 1, links=("best", "last"))
    for step in (2, 3, 4):
        save(tmp_path, step)
    assert {path.name for path in tmp_path.iterdir()} == {"step_00000001", "step_00000004", "best", "last"}
    assert checkpoint.load(tmp_path / "best").step == 1
    assert checkpoint.load(tmp_path / "last").step == 4


def test_killed_at_any_moment_of_saving_a_checkpoint_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call that changes the disk is made to be the last one, before it and after it."""
    changes = {
        checkpoint: ("save_file",),
        shutil: ("rmtree",),
        os: ("replace",),
        Path: ("mkdir", "write_text", "rename", "unlink", "symlink_to"),
    }

    def interrupted(moment: int) -> bool:
        folder = tmp_path / str(moment)
        save(folder, 1)
        again = partial(save, folder, 2, links=("best", "last"))
        killed = killed_at(moment, again, monkeypatch, changes)
        assert checkpoint.load(folder / "last").step in (1, 2)
        again()
        assert {path.name for path in folder.iterdir()} == {"step_00000002", "best", "last"}
        assert checkpoint.load(folder / "best").step == 2
        return killed

    moments = 1
    while interrupted(moments):
        moments += 1
    assert moments > 12  # they were really interrupted


def test_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write checkpoint .*step_00000002"):
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name for path in tmp_path.iterdir()} == {"step_00000001", "last"}
    assert checkpoint.load(tmp_path / "last").step == 1


def set_in(*keys: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(plain: dict[str, Any]) -> None:
        for key in keys[:-1]:
            plain = plain[key]
        plain[keys[-1]] = to

    return change


HOSTILE = {
    "target": set_in("config", "policy", "_target_", to="os.system"),
    "unknown policy": set_in("config", "policy", "name", to="os.system"),
    "policy name is a list": set_in("config", "policy", "name", to=["bc"]),
    "unknown head": set_in("config", "policy", "head", to="builtins.eval"),
    "unknown head option": set_in("config", "policy", "head_args", to={"exec": "1"}),
    "horizon is a text": set_in("config", "policy", "horizon", to="8"),
    "other horizon": set_in("config", "policy", "horizon", to=9),
    "no layer widths": set_in("config", "policy", "hidden", to=None),
    "config is a list": set_in("config", to=[]),
    "no spec": set_in("spec", to=None),
    "spec is a list": set_in("spec", "cameras", to=[1, 2]),
    "camera of other names": set_in("spec", "cameras", to={"agentview": {"name": "a", "size": [1, 1]}}),
    "key with a dot": set_in("spec", "cameras", "agentview", "key", to="a.b_image"),
    "seeds are texts": set_in("training_seeds", to=["all"]),
    "step is a text": set_in("step", to="many"),
    "other format": set_in("format", to=99),
    "layers too wide for any memory": set_in("config", "policy", "hidden", to=[60_000, 60_000]),
    "layers without end": set_in("config", "policy", "hidden", to=[8] * 100_000),
    "chunk too long": set_in("config", "policy", "horizon", to=1_000_000),
    "channels too many": set_in("spec", "cameras", "agentview", "features", to=[10**9, 4, 4]),
    "cells too many": set_in("spec", "cameras", "agentview", "features", to=[112, 10**5, 10**5]),
    "scales too many": set_in("spec", "cameras", "agentview", "scales", to=10**6),
    "proprioception without end": set_in("spec", "proprio", to={f"key{i}": 1 for i in range(10_000)}),
    "dimension below 1": set_in("spec", "action_dim", to=-7),
    "axes that no frame has": set_in("spec", "cameras", "agentview", "flips", to=[99]),
    "step without end": set_in("step", to=10**30),
    "interpolation": set_in("config", "policy", "loss", to="${oc.env:HOME}"),
    "metrics are objects": set_in("metrics", to={"valid/loss": {}}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_description_is_refused_in_one_line(case: str, trained: Path, tmp_path: Path) -> None:
    folder = copy_of(trained, tmp_path)
    plain = json.loads((folder / "checkpoint.json").read_text())
    HOSTILE[case](plain)
    (folder / "checkpoint.json").write_text(json.dumps(plain))
    assert_refused(folder)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def pickle_instead(file: Path) -> None:
    torch.save({"weights": torch.ones(2)}, file)


def other_shape(file: Path) -> None:
    tensors = load_file(file)
    name = max(tensors, key=lambda key: tensors[key].numel())
    save_file({**tensors, name: torch.zeros(3)}, file)


def one_missing(file: Path) -> None:
    tensors = load_file(file)
    tensors.popitem()
    save_file(tensors, file)


def other_numbers(file: Path) -> None:
    """Weights of the same shapes: those of another training."""
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)


@pytest.mark.parametrize(
    "damage", [truncate, pickle_instead, other_shape, one_missing, other_numbers, Path.unlink]
)
def test_damaged_weights_are_refused_in_one_line(
    damage: Callable[[Path], None], trained: Path, tmp_path: Path
) -> None:
    folder = copy_of(trained, tmp_path)
    damage(folder / "model.safetensors")
    assert_refused(folder)


@pytest.mark.parametrize("failure", [MemoryError("no memory"), OSError(5, "Input/output error")], ids=repr)
def test_failures_of_the_machine_are_not_the_checkpoints(
    failure: Exception, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise failure

    monkeypatch.setattr(checkpoint, "build_policy", fails)
    with pytest.raises(type(failure)) as raised:
        checkpoint.load(trained / "checkpoints" / "last")
    assert raised.value is failure


@pytest.mark.parametrize("text", [b"[1, 2]", b"{", b"\x80\x04K\x01.", b"[" * 100_000, b"null"])
def test_description_that_is_no_object_is_refused(text: bytes, trained: Path, tmp_path: Path) -> None:
    folder = copy_of(trained, tmp_path)
    (folder / "checkpoint.json").write_bytes(text)
    assert_refused(folder)


@pytest.mark.parametrize("damage", [truncate, other_shape, one_missing, Path.unlink])
def test_damaged_training_state_is_refused_in_one_line(
    damage: Callable[[Path], None], trained: Path, tmp_path: Path
) -> None:
    folder = copy_of(trained, tmp_path)
    state = load_file(folder / "training.safetensors")
    damage(folder / "training.safetensors")
    with pytest.raises(UserError, match=r"training\.safetensors") as error:
        checkpoint.restore_training_state(folder, state)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        set_in("name", to="evil_module:Encoder"),
        set_in("_target_", to="os.system"),
        set_in("weights", to="/etc/passwd"),
        set_in("sizes", to="224"),
        set_in("base", to=None),
    ],
)
def test_hostile_encoders_are_refused_in_one_line(
    change: Callable[[dict[str, Any]], None], trained: Path
) -> None:
    plain = copy.deepcopy(checkpoint.load(trained / "checkpoints" / "last").encoders)
    change(plain)
    with pytest.raises(UserError) as error, checkpoint.reading(trained):
        CameraEncoders.from_dict(plain, "cpu")
    assert "\n" not in str(error.value)


def test_environment_of_a_checkpoint_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_module.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    spec = Spec.from_dict({**SPEC.to_dict(), "env_id": "evil_module:Env-v0"})
    with pytest.raises(UserError, match="module 'evil_module' is not imported"):
        check_environment(spec, spec.env_id, spec.env_kwargs)
    assert "evil_module" not in sys.modules


def copy_of(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "checkpoints" / "last", tmp_path / "copy"))


def assert_refused(folder: Path) -> None:
    with pytest.raises(UserError) as error:
        checkpoint.load(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)
