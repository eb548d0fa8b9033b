"""Checkpoints that run nobody's code: tensors in safetensors, everything else in JSON.

checkpoints/
  step_00003000/
    checkpoint.json        format, step, configuration, spec, encoders, validation metrics
    model.safetensors      averaged (EMA) weights and normalisation: what acts
    training.safetensors   raw weights, optimiser and averaging state: what training goes on from
  last -> step_00003000    replaced atomically
  best -> step_00002500
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from s2robot.errors import UserError
from s2robot.policies import POLICIES, Policy, PolicyConfig, make_policy
from s2robot.types import Spec

FORMAT = 1
LINKS = ("last", "best")


@dataclass
class Checkpoint:
    """A loaded checkpoint: a policy ready to act and what it was made from."""

    path: Path
    policy: Policy
    step: int
    config: dict[str, Any]  # the training configuration, as plain data
    encoders: dict[str, Any]  # as `CameraEncoders.spec_dict` gave it
    training_seeds: set[int]  # reset seeds of the demonstrations
    metrics: dict[str, float]
    sha256: str  # of the weights


def save(
    folder: Path,
    step: int,
    weights: Mapping[str, Tensor],
    training_state: Mapping[str, Tensor],
    description: Mapping[str, Any],
    links: Sequence[str] = ("last",),
) -> Path:
    """Write a checkpoint under `folder` and point `links` at it; older unlinked ones are removed.

    `description` is JSON data kept beside the weights: spec, config, encoders, training_seeds, metrics.
    """
    name = f"step_{step:08d}"
    target, partial = folder / name, folder / f"{name}.tmp"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(_contiguous(weights), partial / "model.safetensors")
    save_file(_contiguous(training_state), partial / "training.safetensors")
    text = json.dumps({"format": FORMAT, "step": step, **description}, indent=2)
    (partial / "checkpoint.json").write_text(text)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for link in links:
        temporary = folder / f"{link}.tmp"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name)
        os.replace(temporary, folder / link)
    kept = {(folder / link).resolve() for link in LINKS}
    for old in folder.glob("step_*"):
        if old.resolve() not in kept:
            shutil.rmtree(old)
    return target


def load(path: str | Path) -> Checkpoint:
    """Rebuild the policy of a checkpoint, in eval mode on the CPU. Raises `UserError` in one line."""
    path = Path(path)
    description = read_description(path)
    try:
        spec = Spec.from_dict(description["spec"])
        config = policy_config(description["config"]["policy"])
        policy = make_policy(spec, config)
        policy.load_state_dict(_load_tensors(path / "model.safetensors"))
        return Checkpoint(
            path=path,
            policy=policy.eval().requires_grad_(False),
            step=int(description["step"]),
            config=description["config"],
            encoders=description["encoders"],
            training_seeds=set(description["training_seeds"]),
            metrics=description["metrics"],
            sha256=hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest(),
        )
    except (KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a checkpoint of this version: {reason[:200]}") from error


def read_description(path: Path) -> dict[str, Any]:
    """`checkpoint.json` of a checkpoint."""
    file = path / "checkpoint.json"
    if not file.is_file():
        raise UserError(f"no checkpoint at {path} (a folder with checkpoint.json, e.g. RUN/checkpoints/last)")
    try:
        description = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{file} is not JSON: {error}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{file} is not in checkpoint format {FORMAT}")
    return description


def load_training_state(path: Path) -> dict[str, Tensor]:
    """What training goes on from."""
    return _load_tensors(path / "training.safetensors")


def policy_config(plain: Mapping[str, Any]) -> PolicyConfig:
    """The typed configuration of a policy from plain data; only known fields are taken."""
    _, config_class = POLICIES[plain["name"]]
    known = {field.name for field in fields(config_class)}
    if unknown := set(plain) - known:
        raise UserError(f"policy {plain['name']!r} has no option {', '.join(sorted(unknown))}")
    return config_class(**plain)


def _load_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} cannot be read as safetensors: {error}") from error


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
