"""Where a dataset's features live while training: on the GPU, in RAM, or on the disk."""

import psutil
import torch

from s2robot.features.table import FeatureTable

# Of what is free now; the rest is left to the policy, the page cache and other programs.
GPU_SHARE = 0.6
RAM_SHARE = 0.4


def place(table: FeatureTable, device: str | torch.device) -> FeatureTable:
    """The table in the fastest memory that holds it: `device`'s, RAM, or else the disk as it is."""
    device = torch.device(device)
    if device.type == "cuda" and table.nbytes <= GPU_SHARE * torch.cuda.mem_get_info(device)[0]:
        return table.to(device)
    if table.nbytes <= RAM_SHARE * psutil.virtual_memory().available:
        return table.to("cpu")
    return table
