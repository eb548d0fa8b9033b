"""A policy of a checkpoint, built only where its weights in the file say that it is as large as it claims.

A description is a few bytes and may claim layers of any size. So the policy is built on PyTorch's meta
device first, where tensors have shapes and no memory, and compared with the shapes in the header of the
weights file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.files import not_regular
from s2robot.policies import Policy, PolicyConfig, make_policy
from s2robot.types import Spec

# Of what a policy computes for itself and no file holds, such as positions of cells
MOST_BUFFER_BYTES = 2**28
Shapes = Mapping[str, tuple[int, ...]]


def build(spec: Spec, config: PolicyConfig, weights: Path) -> Policy:
    """The policy, without its weights. Raises `UserError` unless the file `weights` fits it."""
    shapes = shapes_of(weights)
    _check_counts(spec, config, len(shapes), weights)
    with torch.device("meta"):
        claimed = make_policy(spec, config)
    check_fit(weights, shapes, {name: tuple(tensor.shape) for name, tensor in claimed.state_dict().items()})
    if (computed := sum(map(_bytes, _unsaved(claimed)))) > MOST_BUFFER_BYTES:
        raise UserError(
            f"its policy has buffers of {computed / 2**30:.1f} GiB beside the weights in {weights}"
        )
    return make_policy(spec, config)


def shapes_of(file: Path) -> Shapes:
    """The shapes of the tensors in a safetensors file, out of its header. Raises `UserError`."""
    if fault := not_regular(file):
        raise UserError(f"{file} {fault}")
    try:
        with safe_open(file, "pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} cannot be read as safetensors: {error}") from error


def check_fit(file: Path, found: Shapes, wanted: Shapes) -> None:
    """Raise `UserError` for the first tensor that is missing, unknown or of another shape."""

    def told(shapes: Shapes, name: str) -> str:
        return str(list(shapes[name])) if name in shapes else "nothing"

    differing = [
        name for name in sorted(wanted.keys() | found.keys()) if told(wanted, name) != told(found, name)
    ]
    if differing:
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        shapes = f"{told(found, differing[0])} there and {told(wanted, differing[0])} here"
        raise UserError(f"{file} does not fit the policy: {differing[0]} is {shapes}{more}")


def _check_counts(spec: Spec, config: PolicyConfig, tensors: int, weights: Path) -> None:
    """Raise `UserError` for more parts than there are tensors: each takes time to build, even without
    memory."""
    counts = {"cameras": len(spec.cameras), "proprio": len(spec.proprio)}
    counts |= {f"scales of {name}": camera.scales for name, camera in spec.cameras.items()}
    for name, value in _options(vars(config)):
        if isinstance(value, list):
            counts[name] = len(value)
        elif isinstance(value, int) and name.endswith("layers"):
            counts[name] = value
    for name, count in counts.items():
        if count > tensors:
            raise UserError(
                f"{weights} does not fit the policy: it has {tensors} tensors, and {count} {name}"
            )


def _options(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        yield str(name), value
        if isinstance(value, Mapping):
            yield from _options(value)


def _unsaved(policy: nn.Module) -> list[Tensor]:
    saved = policy.state_dict().keys()
    return [buffer for name, buffer in policy.named_buffers() if name not in saved]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
