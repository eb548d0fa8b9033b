"""Checkpoints as plain data, so that loading one executes no code from it: safetensors and JSON.

checkpoints/
  step_00003000/
    checkpoint.json        format, step, configuration, spec, encoders, validation metrics
    model.safetensors      averaged (EMA) weights and normalisation: what acts
    samples.safetensors    a few frames with their features: evaluation encodes them again
    training.safetensors   raw weights, optimiser and averaging state: what training goes on from
  last -> step_00003000    replaced atomically
  best -> step_00002500
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from s2robot.config import as_declared
from s2robot.errors import UserError
from s2robot.files import not_regular, scratch_name
from s2robot.policies import POLICIES, Policy, PolicyConfig
from s2robot.policies.options.earlier import upgraded
from s2robot.runs import steps
from s2robot.runs.building import Shapes, check_fit, shapes_of
from s2robot.runs.building import build as build_policy
from s2robot.runs.described import described, spec_of
from s2robot.runs.finding import DESCRIPTION, LAST, find_checkpoint
from s2robot.runs.plain import read_object

WEIGHTS = "model.safetensors"
SAMPLES = "samples.safetensors"
TRAINING = "training.safetensors"
FORMAT = 2  # 1, of version 0.1, had the shapes in another layout and `bc` for four policies


@dataclass
class Checkpoint:
    """A loaded checkpoint: a policy ready to act and what it was made from."""

    path: Path
    policy: Policy
    step: int
    config: dict[str, Any]  # the training configuration, as plain data
    encoders: dict[str, Any]  # as `CameraEncoders.spec_dict` gave it
    training_seeds: set[int]  # reset seeds of the demonstrations
    selection_seeds: set[int]  # of the rollouts that chose `best`
    metrics: dict[str, float]
    samples: dict[str, Tensor]  # a few frames with the features that were trained on
    sha256: str  # of the weights


def save(
    folder: Path,
    step: int,
    weights: Mapping[str, Tensor],
    training_state: Mapping[str, Tensor],
    description: Mapping[str, Any],
    samples: Mapping[str, Tensor],
    links: Sequence[str] = (LAST,),
    keep: int | None = 1,
) -> Path:
    """Write a checkpoint under `folder` and point `links` at it.

    The newest `keep` (None: all) and those that a link leads to stay, older ones are removed.

    `samples` are frames with their features (`s2robot.features.sample`), `description` is JSON data kept
    beside the weights: spec, config, encoders, training_seeds, selection_seeds, metrics.
    Raises `UserError` when it cannot be written; the earlier checkpoints are as they were then.
    """
    target = folder / steps.name_of(step)
    partial = scratch_name(target)
    try:
        partial.mkdir(parents=True)
        _save(weights, partial / WEIGHTS)
        _save(training_state, partial / TRAINING)
        _save(samples, partial / SAMPLES)
        sha256 = hashlib.sha256((partial / WEIGHTS).read_bytes()).hexdigest()
        plain = {"format": FORMAT, "step": step, **description, "weights_sha256": sha256}
        text = json.dumps(plain, indent=2)
        (partial / DESCRIPTION).write_text(text)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(f"cannot write checkpoint {target}: {error}") from error
    shutil.rmtree(target, ignore_errors=True)  # of a training that was killed before it was linked
    partial.rename(target)
    for link in links:
        steps.point(folder, link, target.name)
    steps.prune(folder, keep)
    return target


def load(path: str | Path) -> Checkpoint:
    """Rebuild the policy of a checkpoint, in eval mode on the CPU. Raises `UserError` in one line.

    `path` is the checkpoint's, or that of a run, whose last one is taken. A link such as `last` is followed
    once, so that all parts are of one checkpoint. If a training deletes that meanwhile, the link leads to
    another one by then, which is loaded.
    """
    while True:
        named = find_checkpoint(path)
        there = steps.resolved(named)
        try:
            return _load(there)
        except UserError:
            if steps.resolved(named) == there:
                raise


def _load(path: Path) -> Checkpoint:
    plain = read_description(path)
    with reading(path):
        about = described(plain, str(path / DESCRIPTION))
        spec = spec_of(about.spec, f"{path / DESCRIPTION}: spec")
        policy = build_policy(spec, policy_config(about.config["policy"]), path / WEIGHTS)
        weights, sha256 = read_weights(path)
        if about.weights_sha256 not in (None, sha256):  # 0.1 did not record it
            raise UserError(f"{path / WEIGHTS} is damaged: it is not what was saved with {DESCRIPTION}")
        policy.load_state_dict(weights)
        return Checkpoint(
            path=path,
            policy=policy.eval().requires_grad_(False),
            step=about.step,
            config=about.config,
            encoders=about.encoders,
            training_seeds=set(about.training_seeds),
            selection_seeds=set(about.selection_seeds),
            metrics=about.metrics,
            samples=read_samples(path),
            sha256=sha256,
        )


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """The weights that act, and the hash of the bytes that they were read from. Raises `UserError`."""
    if fault := not_regular(path / WEIGHTS):
        raise UserError(f"{path / WEIGHTS} {fault}")
    try:
        data = (path / WEIGHTS).read_bytes()
        return load_tensors(data), hashlib.sha256(data).hexdigest()
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path / WEIGHTS} cannot be read as safetensors: {error}") from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds the checkpoint's path to a `UserError`; whatever else happens is raised as it is."""
    try:
        yield
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a damaged or hostile checkpoint makes constructors raise into a `UserError`.

    Only reading belongs inside: a failure of the machine would be reported as one of the checkpoint.
    """
    try:
        with naming(path):
            yield
    except (UserError, MemoryError, OSError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{path} is damaged or no checkpoint of this version: {reason[:200]}") from error


def read_description(path: Path) -> dict[str, Any]:
    """`checkpoint.json` of a checkpoint."""
    file = find_checkpoint(path) / DESCRIPTION
    description = read_object(file)
    if description.get("format") not in (1, FORMAT):
        raise UserError(
            f"{file} is in format {description.get('format')!r}, this version reads 1 and {FORMAT}"
        )
    return description


def restore_training_state(path: Path, state: Mapping[str, Tensor]) -> None:
    """Copy what training goes on from into the tensors of `state`. Raises `UserError` if they do not fit."""
    file = path / TRAINING
    check_fit(file, shapes_of(file), _shapes(state))
    found = read_tensors(file)
    for name, tensor in state.items():
        tensor.copy_(found[name])


def start_from(path: Path, policy: Policy, name: str) -> str:
    """Give the policy called `name` a checkpoint's weights; returns their hash. `UserError` if they do not
    fit."""
    path = steps.resolved(path)
    weights, sha256 = read_weights(path)
    theirs, ours = _shapes(weights), _shapes(policy.state_dict())
    with reading(path):
        saved = policy_config(
            described(read_description(path), str(path / DESCRIPTION)).config["policy"]
        ).name
    if saved != name and theirs.keys() != ours.keys():
        raise UserError(
            f"{path} is of policy {saved!r} and cannot start one of {name!r}; give policy={saved}"
        )
    check_fit(path / WEIGHTS, theirs, ours)
    policy.load_state_dict(weights)
    return sha256


def policy_config(plain: Mapping[str, Any]) -> PolicyConfig:
    """The typed and checked configuration of a policy from plain data; only known fields are taken."""
    plain = upgraded(plain)
    config_class = POLICIES[plain["name"]].options
    known = {field.name for field in fields(config_class)}
    if unknown := set(plain) - known:
        raise UserError(f"policy {plain['name']!r} has no option {', '.join(sorted(unknown))}")
    config = config_class(**as_declared(config_class, plain, "policy."))
    config.check()
    return config


def read_samples(path: Path) -> dict[str, Tensor]:
    """The frames with their features that a checkpoint keeps."""
    return read_tensors(path / SAMPLES)


def _shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of one of a checkpoint's files. Raises `UserError`."""
    if fault := not_regular(file):
        raise UserError(f"{file} {fault}")
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} cannot be read as safetensors: {error}") from error


def _save(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write tensors to a file that has the user's usual permissions; safetensors leaves it to its owner."""
    file.touch()
    mode = file.stat().st_mode
    save_file(_contiguous(tensors), file)
    file.chmod(mode)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor in its own memory, as safetensors requires; some networks hold one under two names."""
    own, taken = dict[str, Tensor](), set[int]()
    for name, tensor in tensors.items():
        value = tensor.detach().contiguous()
        own[name] = value.clone() if value.data_ptr() in taken else value
        taken.add(value.data_ptr())
    return own
