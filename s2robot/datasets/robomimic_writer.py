"""Writing robomimic's HDF5 format: demonstrations copied as they are or array by array, and filter keys."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from s2robot.datasets import hdf5
from s2robot.datasets.hdf5_links import Folders

COPY_BYTES = 16 << 20  # of an array that is read and written rather than copied by HDF5 itself


def write_obs(group: h5py.Group, key: str, values: np.ndarray) -> None:
    """Write one observation over an episode, "t ..."; frames are compressed, each in a chunk of its own."""
    if values.dtype == np.uint8 and values.ndim == 4:
        empty_frames(group, key, len(values), values.shape[1:])[:] = values
    else:
        group[key] = values


def empty_frames(group: h5py.Group, key: str, rows: int, shape: Sequence[int]) -> h5py.Dataset:
    """An array for frames, compressed without loss, each in a chunk of its own."""
    return group.create_dataset(
        key, (rows, *shape), np.uint8, chunks=(1, *shape), compression="gzip", compression_opts=1
    )


def write_masks(file: h5py.File, masks: Mapping[str, Sequence[str]]) -> None:
    """Write filter keys, `mask/<key>`, as byte strings; empty ones are left out."""
    for key, names in masks.items():
        if names:
            file[f"mask/{key}"] = np.array([name.encode() for name in names])


def write_totals(data: h5py.Group, env_args: Mapping[str, Any] | None) -> None:
    """Attributes that robomimic's own readers need: `total` and `env_args`, `{}` where nothing is known."""
    data.attrs["total"] = sum(int(demo.attrs["num_samples"]) for demo in data.values())
    if "env_args" not in data.attrs:
        data.attrs["env_args"] = json.dumps(dict(env_args or {}))


def copy_group(
    source: h5py.Group, target: h5py.Group, folders: Folders, deeper: int = hdf5.DEEPEST
) -> Iterator[str]:
    """Copy arrays, groups and attributes, compressed chunks as they are, and resolve links.

    Yields a line for each member that must not or cannot be read and is left out.
    """
    target.attrs.update(source.attrs)
    for name in source:
        found = hdf5.member(source, name, folders)
        if isinstance(found, str):
            yield f"{source.name}/{name}: {found}"
        elif isinstance(found, h5py.Group) and not deeper:
            yield f"{source.name}/{name}: groups are nested more than {hdf5.DEEPEST} deep"
        elif isinstance(found, h5py.Group):
            yield from copy_group(found, target.create_group(name), folders, deeper - 1)
        elif found.is_virtual:
            _copy_rows(found, target, name)
        else:
            source.copy(found, target, name=name)


def _copy_rows(source: h5py.Dataset, target: h5py.Group, name: str) -> None:
    """The content of a virtual array, whose parts lie elsewhere."""
    copy = target.create_dataset(name, source.shape, source.dtype)
    copy.attrs.update(source.attrs)
    step = max(1, COPY_BYTES // max(1, source.nbytes // max(1, len(source))))
    for start in range(0, len(source), step):
        copy[start : start + step] = source[start : start + step]
