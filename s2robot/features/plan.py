"""What a feature build will cost, said before it is started."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from s2robot.encoders.cameras import CameraEncoders
from s2robot.features.builder import frames_ahead
from s2robot.features.manifest import load_manifest
from s2robot.features.store import DTYPES, FeatureStore
from s2robot.features.tiers import choose_tier
from s2robot.features.views import AS_IT_IS, Views
from s2robot.types import FrameSource

WARM_UP_FRAMES = 2
TIMED_FRAMES = 8


@dataclass(frozen=True)
class Option:
    """One way to store a camera's features."""

    grid: tuple[int, int]
    dtype: str
    row_bytes: int
    bytes: int  # of all views of all different frames


@dataclass(frozen=True)
class CameraPlan:
    """What one camera needs; frames that look the same are stored once."""

    camera: str
    frames: int
    views: int  # of each frame
    different_frames: int
    frames_to_encode: int  # each view counts
    frame_s: float  # measured time to encode one; 0 where none is to be encoded
    seconds: float
    shape: tuple[int, int, int]
    row_bytes: int
    bytes: int
    options: list[Option]


@dataclass(frozen=True)
class Plan:
    """What all cameras need, and the tier (`tiers.TIERS`) that their features will live in."""

    cameras: list[CameraPlan]
    bytes: int
    seconds: float
    tier: str


def make_plan(
    source: FrameSource,
    cameras: Sequence[str],
    encoders: CameraEncoders,
    root: str | Path | None = None,
    dtype: str = "float16",
    device: str | torch.device = "cpu",
    views: Views = AS_IT_IS,
) -> Plan:
    """Plan the features of a dataset.

    Every frame of a dataset that was not seen before is read once, to count those that differ and those
    that are stored already; a few are encoded to measure the time. Raises UserError as `build` does.
    """
    plans = [_plan_camera(source, camera, encoders, root, dtype, views) for camera in cameras]
    nbytes = sum(plan.bytes for plan in plans)
    return Plan(plans, nbytes, sum(plan.seconds for plan in plans), choose_tier(nbytes, device))


def _plan_camera(
    source: FrameSource,
    camera: str,
    encoders: CameraEncoders,
    root: str | Path | None,
    dtype: str,
    views: Views,
) -> CameraPlan:
    image_size = source.image_size(camera)
    shape = encoders.feature_shape(camera, image_size)
    spec = encoders.encoder(camera).spec
    store = FeatureStore(spec, shape, dtype, root)
    rows = load_manifest(store, source, camera, views)
    frame_s = reading_s = 0.0
    if rows is not None:
        different, new = len(np.unique(rows[:, 0])), 0
    else:
        stored = {bytes(frame) for frame in store.index(len(store))["frame"]}
        seen: set[bytes] = set()
        start = time.monotonic()
        for _, _, hashes in frames_ahead(source, camera):
            seen.update(hashes)
        reading_s = time.monotonic() - start
        different = len(seen)
        new = sum(key not in stored for frame in seen for key in views.keys(frame))
        if new:
            frame_s = _time_a_frame(source, camera, encoders)
    grids = dict.fromkeys([shape[1:], *spec.scale_grids(*image_size)])
    options = []
    for grid in grids:
        row = replace(store.row, map=(shape[0], *grid))
        for name, torch_dtype in DTYPES.items():
            row_bytes = row.numbers * torch_dtype.itemsize
            options.append(Option(grid, name, row_bytes, row_bytes * different * views.count))
    return CameraPlan(
        camera=camera,
        frames=sum(source.lengths),
        views=views.count,
        different_frames=different,
        frames_to_encode=new,
        frame_s=frame_s,
        seconds=max(reading_s, new * frame_s),  # a build reads ahead while it encodes
        shape=shape,
        row_bytes=store.row_bytes,
        bytes=store.row_bytes * different * views.count,
        options=options,
    )


def _time_a_frame(source: FrameSource, camera: str, encoders: CameraEncoders) -> float:
    frames = source.read_frames(source.episodes[0], camera)
    frames = frames[np.arange(TIMED_FRAMES) % len(frames)]
    encoders.encode(camera, frames[:WARM_UP_FRAMES])
    start = time.monotonic()
    encoders.encode(camera, frames)
    return (time.monotonic() - start) / TIMED_FRAMES
