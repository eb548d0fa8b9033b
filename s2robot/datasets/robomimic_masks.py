"""Filter keys of robomimic's files: `mask/<key>` lists the names of the demonstrations in a split."""

import h5py
import numpy as np

from s2robot.datasets import hdf5
from s2robot.datasets.hdf5_attributes import text
from s2robot.datasets.hdf5_links import Folders

MOST_NAMES, MOST_BYTES = 10**6, 2**26
EXPECTED = "expected the names of demonstrations"


def masks_of(file: h5py.File, folders: Folders) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Names of the demonstrations under each filter key, and what is wrong with others, by `mask/<key>`."""
    if "mask" not in file:
        return {}, {}
    group = hdf5.member(file, "mask", folders)
    if not isinstance(group, h5py.Group):
        found = group if isinstance(group, str) else f"found {_described(group)}"
        return {}, {"mask": f"{found}, expected a group with a list of names for each filter key"}
    masks: dict[str, list[str]] = {}
    faulty: dict[str, str] = {}
    for key in group:
        found = hdf5.member(group, key, folders)
        if isinstance(found, h5py.Dataset) and (found.shape is None or not found.size):
            masks[key] = []
        elif isinstance(found, h5py.Dataset) and _is_text(found.dtype):
            if found.size > MOST_NAMES or found.size * found.dtype.itemsize > MOST_BYTES:
                faulty[f"mask/{key}"] = f"it declares {found.size} names, more than any dataset has"
                continue
            masks[key] = [text(name) for name in np.ravel(found[()])]
        else:
            problem = found if isinstance(found, str) else f"found {_described(found)}"
            faulty[f"mask/{key}"] = f"{problem}, {EXPECTED}"
    return masks, faulty


def _is_text(dtype: np.dtype) -> bool:
    return dtype.kind in "SU" or h5py.check_string_dtype(dtype) is not None


def _described(found: h5py.Group | h5py.Dataset) -> str:
    return "a group" if isinstance(found, h5py.Group) else f"{found.dtype} of shape {found.shape}"
