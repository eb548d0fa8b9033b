"""Check that the encoder still gives the stored features: `s2robot features --check` and every evaluation do.

A few frames and their features are kept in a checkpoint as plain tensors, `frames.<camera>` (uint8
"n h w 3"), `features.<camera>` ("n c gh gw") and, for encoders with prefix tokens, `prefix.<camera>`
("n p c"), so that the check needs no dataset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.features.camera_store import CameraStore
from s2robot.features.source import FrameSource
from s2robot.features.table import FeatureTable
from s2robot.features.tolerance import TOLERANCES, Tolerance
from s2robot.types import CameraSpec

SAMPLE_FRAMES = 4
MOST_SAMPLES = 64  # that an evaluation encodes


def sample(
    source: FrameSource,
    tables: Mapping[str, FeatureTable],  # of each camera
    count: int = SAMPLE_FRAMES,
    seed: int = 0,
) -> dict[str, Tensor]:
    """`count` random frames of each camera (all, if there are fewer) with their stored features.

    Only these frames are read, out of those that have features.

    Raises UserError for a count below 1.
    """
    if count < 1:
        raise UserError(f"1 frame or more can be checked, not {count}")
    generator = np.random.default_rng(seed)
    tensors = {}
    for camera, table in tables.items():
        there = table.frames
        chosen = there[np.sort(generator.choice(len(there), min(count, len(there)), replace=False))]
        tensors[f"frames.{camera}"] = torch.from_numpy(_read(source, camera, table, chosen))
        stored = table.gather(torch.from_numpy(chosen)[:, None])
        tensors[f"features.{camera}"] = stored.map[:, 0].cpu()
        if stored.prefix is not None:
            tensors[f"prefix.{camera}"] = stored.prefix[:, 0].cpu()
    return tensors


def check_samples(samples: Mapping[str, Tensor], cameras: Mapping[str, CameraSpec]) -> None:
    """Raise `UserError` unless there are frames of every camera of a policy, of its spec's shapes."""
    for name, camera in cameras.items():
        wanted: dict[str, tuple[int, ...]] = {"frames": (*camera.size, 3), "features": camera.features}
        if camera.prefix is not None:
            wanted["prefix"] = camera.prefix
        counts = set[int]()
        for kind, shape in wanted.items():
            found = samples.get(f"{kind}.{name}")
            if found is None:
                raise UserError(
                    f"the sample frames lack {kind}.{name}, without which nobody knows whether the features "
                    f"of {name} are those of training"
                )
            if found.shape[1:] != shape or not 1 <= len(found) <= MOST_SAMPLES:
                raise UserError(
                    f"the sample frames' {kind}.{name} is of shape {list(found.shape)}, expected 1 to "
                    f"{MOST_SAMPLES} of {list(shape)}"
                )
            counts.add(len(found))
        if len(counts) > 1 or samples[f"frames.{name}"].dtype != torch.uint8:
            raise UserError(f"the sample frames of {name} are not uint8 frames with the features of each")


def verify(
    encoders: CameraEncoders, samples: Mapping[str, Tensor], tolerance: float | None = None
) -> dict[str, float]:
    """Encode the frames of `sample` again, one by one as a rollout does.

    Gives the difference of each camera, the larger of that of its map and of its prefix tokens, as the
    precision's `TOLERANCES` measure it. Raises UserError where it is above their limit (or `tolerance`) or
    not finite, and where the shapes differ.
    """
    allowed = TOLERANCES[encoders.base.spec.precision]
    if tolerance is not None:
        allowed = replace(allowed, limit=tolerance)
    cameras = [key.removeprefix("frames.") for key in samples if key.startswith("frames.")]
    differences = {}
    for camera in cameras:
        encoded = [encoders.encode(camera, frame[None]) for frame in samples[f"frames.{camera}"]]
        maps, prefixes = zip(*encoded, strict=True)
        how = f"{encoders.base.spec.precision} on backend {encoders.base.backend.name}"
        found = [_difference(f"features of {camera}", maps, samples[f"features.{camera}"], allowed, how)]
        if f"prefix.{camera}" in samples:
            stored = samples[f"prefix.{camera}"]
            found.append(_difference(f"prefix tokens of {camera}", prefixes, stored, allowed, how))
        differences[camera] = max(found)
    return differences


def verify_rows(opened: CameraStore) -> int:
    """The number of rows whose checksums hold; UserError naming the first frame where one does not."""
    source, store, table = opened.source, opened.store, opened.table()
    used = table.used_rows()
    damaged = store.rows(opened.snapshot).damaged_rows(used.numpy())
    if damaged:
        frame = int(np.isin(table.rows.numpy(), damaged).any(1).argmax())
        episode = int(np.searchsorted(table.offsets, frame, side="right")) - 1
        segment = opened.snapshot.segment_of(damaged[0])
        raise UserError(
            f"feature store {store.folder} is damaged: {len(damaged)} of {len(used)} rows of "
            f"{opened.camera} have wrong checksums, first {source.episodes[episode]}, frame "
            f"{frame - table.offsets[episode]}; delete {segment.folder} and build the features again"
        )
    return len(used)


def _difference(
    what: str, encoded: Sequence[Tensor | None], stored: Tensor, allowed: Tolerance, how: str
) -> float:
    frames = [one for one in encoded if one is not None]
    if not frames:
        raise UserError(f"{what} were stored, and this encoder gives none")
    again = torch.cat(frames).cpu()
    if again.shape != stored.shape:
        raise UserError(
            f"{what} have the shape {tuple(again.shape[1:])} here and "
            f"{tuple(stored.shape[1:])} where they were stored"
        )
    difference = allowed.difference(again, stored)
    if not difference <= allowed.limit:  # also for NaN
        raise UserError(
            f"{what} differ by {difference:.2g} of {allowed.unit} from those stored (in {how}; at most "
            f"{allowed.limit:g} is allowed): another version of a library, a damaged store or other frames"
        )
    return difference


def _read(source: FrameSource, camera: str, table: FeatureTable, frames: np.ndarray) -> np.ndarray:
    """The pixels of some frames, numbered through all episodes; no other is read."""
    episodes = np.searchsorted(table.offsets, frames, side="right") - 1
    pixels = []
    for episode, frame in zip(episodes, (frames - table.offsets[episodes]).tolist(), strict=True):
        pixels.append(source.read_frames(source.episodes[episode], camera, frame, frame + 1))
    return np.concatenate(pixels)
