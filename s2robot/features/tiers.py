"""Where a dataset's features live while training: on the GPU, in RAM, or on the disk."""

from collections.abc import Mapping

import psutil
import torch

from s2robot.features.options import check_tier
from s2robot.features.table import FeatureTable

# Of the memory that is free now; the rest is left to the policy, the page cache and other programs.
GPU_SHARE = 0.6
RAM_SHARE = 0.4


def choose_tier(nbytes: int, device: str | torch.device, tier: str = "auto", processes: int = 1) -> str:
    """Where `nbytes` of features, all cameras together, live: `tier`, or the fastest of `TIERS` for "auto".

    A GPU `device`, RAM, or else the disk. For several `processes` it is never RAM, of which each would hold a
    copy: those of one machine share the kernel's, which keeps what is read from the disk.
    """
    check_tier(tier)
    device = torch.device(device)
    if tier == "auto":
        if device.type == "cuda" and nbytes <= GPU_SHARE * torch.cuda.mem_get_info(device)[0]:
            return "device"
        tier = "ram" if nbytes <= RAM_SHARE * psutil.virtual_memory().available else "disk"
    return "disk" if tier == "ram" and processes > 1 else tier


def place(
    tables: Mapping[str, FeatureTable], device: str | torch.device, tier: str = "auto", processes: int = 1
) -> dict[str, FeatureTable]:
    """The tables of all cameras in one tier, chosen as `choose_tier` does; "disk" leaves them mapped.

    For a training on a GPU, what is gathered from RAM or the disk lies in page-locked memory.
    """
    device = torch.device(device)
    tier = choose_tier(sum(table.nbytes for table in tables.values()), device, tier, processes)
    target = {"device": device, "ram": torch.device("cpu"), "disk": None}[tier]
    placed = {camera: table if target is None else table.to(target) for camera, table in tables.items()}
    for table in placed.values():
        table.page_locked = device.type == "cuda" and tier != "device"
    return placed
