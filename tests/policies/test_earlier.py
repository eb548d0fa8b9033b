"""Checkpoints of version 0.1 act as they did then.

`checkpoints_0_1.json` was written by version 0.1: for each policy its options, the names and shapes of its
tensors, and the chunk that it predicted with the tensors and observations of `numbers`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from s2robot.errors import UserError
from s2robot.policies.options.bc import BCConfig
from s2robot.policies.options.earlier import NETWORKS, upgraded
from s2robot.runs import checkpoint
from s2robot.training.options import OptimConfig
from s2robot.training.trainer import Trainer
from s2robot.types import CameraSpec, Features, Observation, Spec

RECORDED = json.loads((Path(__file__).parent / "checkpoints_0_1.json").read_text())


def numbers(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def write(folder: Path, policy: Mapping[str, Any]) -> None:
    """A checkpoint as version 0.1 wrote it."""
    tensors = {
        name: numbers(shape, i).abs() + 0.1 if name.endswith("scale") else 0.5 * numbers(shape, i)
        for i, (name, shape) in enumerate(policy["tensors"].items())
    }
    save_file(tensors, folder / "model.safetensors")
    save_file({}, folder / "samples.safetensors")
    description = {
        "format": RECORDED["format"],
        "step": 7,
        "spec": RECORDED["spec"],
        "config": {"policy": policy["config"]},
        "encoders": {},
        "training_seeds": [],
        "selection_seeds": [],
        "metrics": {},
    }
    (folder / "checkpoint.json").write_text(json.dumps(description))


def observation(steps: int) -> Observation:
    """What the chunks were recorded for."""
    spec = RECORDED["spec"]
    maps = [numbers((1, steps, *shape), 100 + i) for i, shape in enumerate(spec["features"].values())]
    prefixes = [numbers((1, steps, *shape), 200 + i) for i, shape in enumerate(spec["prefix"].values())]
    cameras = ("agentview", "robot0_eye_in_hand")
    features = {
        name: Features(*pair) for name, pair in zip(cameras, zip(maps, prefixes, strict=True), strict=True)
    }
    return Observation(features, {"robot0_eef_pos": numbers((1, steps, 3), 300)})


@pytest.mark.parametrize(
    "policy", RECORDED["policies"], ids=lambda policy: policy["config"].get("network", "bc_paper")
)
def test_checkpoint_of_0_1_predicts_what_it_did(policy: Mapping[str, Any], tmp_path: Path) -> None:
    write(tmp_path, policy)
    loaded = checkpoint.load(tmp_path).policy
    actions, _ = loaded.predict(observation(loaded.config.read_steps))
    torch.testing.assert_close(actions[0], torch.tensor(policy["actions"]), atol=1e-5, rtol=1e-5)


def test_spec_of_0_1_is_read_by_camera() -> None:
    spec = Spec.from_dict(RECORDED["spec"])
    assert spec.cameras == {
        "agentview": CameraSpec("agentview_image", (64, 64), (8, 3, 2), 2, (3, 4)),
        "robot0_eye_in_hand": CameraSpec("robot0_eye_in_hand_image", (32, 48), (4, 2, 2), 1, (1, 2)),
    }
    assert spec.observed == {
        "agentview_image": (64, 64, 3),
        "robot0_eye_in_hand_image": (32, 48, 3),
        "robot0_eef_pos": (3,),
    }
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_networks_of_0_1_are_policies() -> None:
    recorded = [policy["config"] for policy in RECORDED["policies"]]
    networks = {plain["network"]: plain for plain in recorded if "network" in plain}
    assert networks.keys() == NETWORKS.keys()
    for network, plain in networks.items():
        assert checkpoint.policy_config(plain).name == NETWORKS[network]
        assert checkpoint.policy_config(upgraded(plain)) == checkpoint.policy_config(plain)
    config = checkpoint.policy_config(networks["mlp"])
    assert isinstance(config, BCConfig) and config.loss == "l1"
    with pytest.raises(UserError, match=r"unknown policy\.network of version 0\.1 'gmn'; did you mean 'gmm'"):
        upgraded({**networks["gmm"], "network": "gmn"})
    with pytest.raises(UserError, match="has no option _target_"):
        checkpoint.policy_config({**networks["gmm"], "_target_": "os.system"})


def test_training_of_0_1_is_not_carried_on(tmp_path: Path) -> None:
    """Its statistics were those of all frames: what follows would be normalised differently."""
    (tmp_path / "last").mkdir()
    write(tmp_path / "last", RECORDED["policies"][0])
    policy = checkpoint.load(tmp_path / "last").policy.requires_grad_(True)
    with pytest.raises(UserError, match="earlier version: it can be evaluated, and not be trained further"):
        Trainer(policy, OptimConfig(), tmp_path, {}).resume()
