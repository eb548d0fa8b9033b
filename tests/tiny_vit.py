"""timm's smallest vision transformer, as `encoder.name=timm/test_vit encoder.weights=FILE`."""

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

NAME, CHANNELS = "timm/test_vit", 64  # at a stride of 16, with a class token


def random_vit(file: Path) -> Path:
    """The file, with random weights written to it."""
    torch.manual_seed(0)
    save_file(timm.create_model("test_vit").state_dict(), file)
    return file
