"""Weights files: tensors and nothing else, in safetensors or PyTorch's format, that must fit a network."""

import argparse
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from s2robot.errors import UserError


def load_state(file: Path) -> dict[str, Any]:
    """What a checkpoint file holds, on the CPU; nothing in it is executed.

    Raises UserError for a file that is missing, damaged, or holds more than tensors and plain values.
    """
    if not file.is_file():
        raise UserError(f"there is no weights file {file}")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        _check_archive(file)
        # trainings in the manner of MAE keep their options, plain data, beside the weights
        with torch.serialization.safe_globals([argparse.Namespace]):
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (UserError, MemoryError, OSError):
        raise
    except Exception as error:  # a damaged file makes the unpickler raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{file} is no checkpoint of tensors: {reason[:200]}") from error
    if not isinstance(state, dict):
        raise UserError(f"{file} holds a {type(state).__name__}, not named tensors")
    return state


def _check_archive(file: Path) -> None:
    """Raise `UserError` for an archive that would unpack to more than it is: PyTorch compresses nothing."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        declared, size = sum(entry.file_size for entry in archive.infolist()), file.stat().st_size
    if declared > size:
        raise UserError(
            f"{file} is no checkpoint of tensors: its parts declare {declared} bytes and the file has "
            f"{size}; PyTorch compresses nothing"
        )


def fill(network: nn.Module, state: Mapping[str, Tensor], name: str, file: Path) -> nn.Module:
    """Load all of `state` into `network`; UserError in one line unless names and shapes are the same."""
    expected = {key: value.shape for key, value in network.state_dict().items()}
    found = {key: getattr(value, "shape", None) for key, value in state.items()}
    if wrong := {key for key in found | expected if found.get(key) != expected.get(key)}:
        raise UserError(
            f"{file} holds no weights of encoder {name!r}: {len(wrong)} tensors differ, e.g. {min(wrong)!r}"
        )
    network.load_state_dict(state)
    return network


def sha256_of(file: Path) -> str:
    """Checksum of a file."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
