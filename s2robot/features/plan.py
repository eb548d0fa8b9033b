"""What a feature build will cost, computed before it is started."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from s2robot.encoders.cameras import CameraEncoders
from s2robot.features.batches import BATCH_FRAMES
from s2robot.features.camera_store import CameraStore
from s2robot.features.hashing import HASH
from s2robot.features.options import FeaturesConfig
from s2robot.features.source import FrameSource
from s2robot.features.store import DTYPES
from s2robot.features.tiers import choose_tier

WARM_UP_FRAMES, TIMED_FRAMES = 2, 8  # on a CPU; a GPU is timed with whole batches


@dataclass(frozen=True)
class Option:
    """One way to store a camera's features."""

    grid: tuple[int, int]
    dtype: str
    row_bytes: int
    bytes: int  # of all views of all different frames


@dataclass(frozen=True)
class CameraPlan:
    """What one camera needs; equal frames are stored once."""

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
    """What all cameras need, and the tier (`options.TIERS`) in which their features will be kept."""

    cameras: list[CameraPlan]
    bytes: int
    seconds: float
    tier: str


def make_plan(
    source: FrameSource,
    cameras: Sequence[str],
    encoders: CameraEncoders,
    config: FeaturesConfig | None = None,
    device: str | torch.device = "cpu",
    episodes: Sequence[int] | None = None,
) -> Plan:
    """Plan the features of a dataset (of `episodes` alone, if given) for a training on `device`.

    Every frame of an episode that the store does not know is read once, to count the frames that differ and
    those that are stored already; a few are encoded to measure the time. Raises UserError as `build` does.
    """
    plans = [_plan_camera(CameraStore(source, c, encoders, config, episodes)) for c in cameras]
    nbytes = sum(plan.bytes for plan in plans)
    return Plan(
        plans,
        nbytes,
        sum(plan.seconds for plan in plans),
        choose_tier(nbytes, device, (config or FeaturesConfig()).tier),
    )


def _plan_camera(opened: CameraStore) -> CameraPlan:
    store, views, snapshot = opened.store, opened.views, opened.snapshot
    known = np.unique(opened.rows[:, 0])
    different: set[bytes] = set(snapshot.hashes(known[known >= 0]).tolist())
    start = time.monotonic()
    for frames in opened.read_ahead():
        different.update(frames.hashes)
    reading_s = time.monotonic() - start
    new = 0
    if opened.missing:
        keys = [key for frame in different for key in views.keys(frame)]
        new = int((snapshot.find(np.frombuffer(b"".join(keys), HASH)) < 0).sum())
    frame_s = _time_a_frame(opened) if new else 0.0
    spec = opened.encoders.encoder(opened.camera).spec
    options = []
    for grid in dict.fromkeys([opened.shape[1:], *spec.scale_grids(*opened.image_size)]):
        row = replace(store.row, map=(opened.shape[0], *grid))
        for name, torch_dtype in DTYPES.items():
            row_bytes = row.numbers * torch_dtype.itemsize
            options.append(Option(grid, name, row_bytes, row_bytes * len(different) * views.count))
    return CameraPlan(
        camera=opened.camera,
        frames=sum(opened.source.lengths[episode] for episode in opened.episodes),
        views=views.count,
        different_frames=len(different),
        frames_to_encode=new,
        frame_s=frame_s,
        seconds=max(reading_s, new * frame_s),  # a build reads ahead while it encodes
        shape=opened.shape,
        row_bytes=store.row_bytes,
        bytes=store.row_bytes * len(different) * views.count,
        options=options,
    )


def _time_a_frame(opened: CameraStore) -> float:
    """Seconds to encode one frame as a build does: the rows are in RAM when the clock is stopped.

    A GPU plans anew for each size of a batch and is slower with small ones, so it is timed with a build's.
    """
    on_gpu = opened.encoders.base.backend.device.type == "cuda"
    warm_up, timed = (BATCH_FRAMES, BATCH_FRAMES) if on_gpu else (WARM_UP_FRAMES, TIMED_FRAMES)
    episode = opened.missing[0]
    frames = opened.source.read_frames(
        opened.source.episodes[episode], opened.camera, 0, min(timed, opened.source.lengths[episode])
    )
    frames = frames[np.arange(timed) % len(frames)]
    opened.encode(frames[:warm_up]).cpu()
    start = time.monotonic()
    opened.encode(frames).cpu()
    return (time.monotonic() - start) / timed
