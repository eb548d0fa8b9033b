"""Do stored features still come out of the encoder? Asked by `s2robot features --check` and every evaluation.

A few frames with their features travel with a checkpoint as plain tensors, `frames.<camera>` (uint8
"n h w 3") and `features.<camera>` ("n c gh gw"), so that the question needs no dataset.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.features.table import FeatureTable
from s2robot.types import FrameSource

SAMPLE_FRAMES = 4
# Of the largest feature: float16 rounds to 5e-4 and backends differ by up to 1e-3.
TOLERANCE = 2e-3


def sample(
    source: FrameSource,
    tables: Mapping[str, FeatureTable],  # of each camera
    count: int = SAMPLE_FRAMES,
    seed: int = 0,
) -> dict[str, Tensor]:
    """`count` random frames of each camera (all, if there are fewer) with their stored features.

    Raises UserError for a count below 1.
    """
    if count < 1:
        raise UserError(f"1 frame or more can be checked, not {count}")
    generator = np.random.default_rng(seed)
    tensors = {}
    for camera, table in tables.items():
        chosen = np.sort(generator.choice(len(table), min(count, len(table)), replace=False))
        tensors[f"frames.{camera}"] = torch.from_numpy(_read(source, camera, table, chosen))
        tensors[f"features.{camera}"] = table.gather(torch.from_numpy(chosen)[:, None])[:, 0].cpu()
    return tensors


def verify(
    encoders: CameraEncoders, samples: Mapping[str, Tensor], tolerance: float = TOLERANCE
) -> dict[str, float]:
    """Encode the frames of `sample` again, one by one as a rollout does.

    Gives the largest difference of each camera, relative to its largest feature. Raises UserError in one
    line where it is above `tolerance`, not finite, or the features have another shape.
    """
    cameras = [key.removeprefix("frames.") for key in samples if key.startswith("frames.")]
    return {
        camera: _difference(
            encoders, camera, samples[f"frames.{camera}"], samples[f"features.{camera}"], tolerance
        )
        for camera in cameras
    }


def _difference(
    encoders: CameraEncoders, camera: str, frames: Tensor, features: Tensor, tolerance: float
) -> float:
    again = torch.cat([encoders.encode(camera, frame[None]).cpu() for frame in frames])
    if again.shape != features.shape:
        raise UserError(
            f"features of {camera} have the shape {tuple(again.shape[1:])} here and "
            f"{tuple(features.shape[1:])} where they were stored"
        )
    expected = features.float()
    difference = float((again - expected).abs().max() / expected.abs().max())
    if not difference <= tolerance:  # also for NaN
        raise UserError(
            f"features of {camera} differ by {difference:.2g} of the largest from those stored (at most "
            f"{tolerance:g} is allowed): another version of a library, a damaged store or other frames"
        )
    return difference


def _read(source: FrameSource, camera: str, table: FeatureTable, frames: np.ndarray) -> np.ndarray:
    """The pixels of some frames, numbered through all episodes."""
    episodes = np.searchsorted(table.offsets, frames, side="right") - 1
    pixels = []
    for episode in np.unique(episodes):
        inside = frames[episodes == episode] - table.offsets[episode]
        pixels.append(source.read_frames(source.episodes[episode], camera)[inside])
    return np.concatenate(pixels)
