"""Which device to compute on."""

import torch

from s2robot.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one, else the CPU; other names are torch's."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:1, ...") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {name!r}: torch finds no CUDA GPU; use device=cpu")
    return device
