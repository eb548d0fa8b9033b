"""Where a dataset's features live while training: on the GPU, in RAM, or on the disk."""

import psutil
import torch

from s2robot.errors import unknown_name
from s2robot.features.table import FeatureTable

TIERS = ("device", "ram", "disk")  # from the fastest to the largest

# Of the memory that is free now; the rest is left to the policy, the page cache and other programs.
GPU_SHARE = 0.6
RAM_SHARE = 0.4


def choose_tier(nbytes: int, device: str | torch.device) -> str:
    """The fastest of `TIERS` with `nbytes` free: a GPU `device`, RAM, or else the disk."""
    device = torch.device(device)
    if device.type == "cuda" and nbytes <= GPU_SHARE * torch.cuda.mem_get_info(device)[0]:
        return "device"
    return "ram" if nbytes <= RAM_SHARE * psutil.virtual_memory().available else "disk"


def place(table: FeatureTable, device: str | torch.device, tier: str = "auto") -> FeatureTable:
    """The table in the memory `tier`; "auto" is the fastest with enough free memory, "disk" leaves it mapped.

    For a training on a GPU, RAM is page-locked.
    """
    if tier == "auto":
        tier = choose_tier(table.nbytes, device)
    if tier not in TIERS:
        raise unknown_name("tier of features", tier, ("auto", *TIERS))
    if tier == "disk":
        return table
    if tier == "device":
        return table.to(device)
    return table.to("cpu", pin_memory=torch.device(device).type == "cuda")
