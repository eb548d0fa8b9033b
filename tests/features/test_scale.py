"""A store of a million frames in ten thousand episodes: what is stored is found without being read."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.features import CameraStore
from s2robot.features.hashing import HASH
from s2robot.features.writer import Writer
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, stored_in

FRAMES, EPISODES, SHAPE = 1_000_000, 10_000, (112, 1, 1)


class Million(Frames):
    """A dataset of which only the lengths are known."""

    def __init__(self) -> None:
        super().__init__({}, "million")
        self.episodes = [f"demo_{i}" for i in range(EPISODES)]
        self.lengths = [FRAMES // EPISODES] * EPISODES

    def image_size(self, camera: str) -> tuple[int, int]:
        return SIDE, SIDE


@pytest.mark.usefixtures("unchecked")  # the checks of types would be most of what is timed
def test_a_million_frames_open_within_a_second_and_gather(tmp_path: Path) -> None:
    encoders = CountingEncoders("lite0", sizes=(SIDE,), output_grid=(1, 1), backend="torch", device="cpu")
    opened = CameraStore(Million(), "cam", encoders, stored_in(tmp_path))
    assert opened.shape == SHAPE and len(opened.missing) == EPISODES
    rows = np.random.default_rng(0).standard_normal((FRAMES, 8), dtype=np.float32).astype(np.float16)
    hashes = np.random.default_rng(1).integers(0, 2**64, 2 * FRAMES, np.uint64).view(HASH)
    with Writer(opened.store) as writer:
        writer.append(hashes, np.repeat(rows, SHAPE[0] // 8, axis=1))
        writer.commit()
        lengths = [FRAMES // EPISODES] * EPISODES
        parts = np.split(hashes, np.cumsum(lengths)[:-1])
        writer.remember({opened.key_of(i): part for i, part in enumerate(parts)})

    start = time.process_time()  # of this process, whatever else the machine does
    table = CameraStore(Million(), "cam", encoders, stored_in(tmp_path)).table()
    opened_s = time.process_time() - start

    assert opened_s < 1
    assert len(table) == FRAMES
    frames = torch.randint(FRAMES, (64, 2), generator=torch.Generator().manual_seed(0))
    expected = np.repeat(rows[frames.numpy()], SHAPE[0] // 8, axis=-1)[..., None, None]
    assert torch.equal(table.gather(frames).map, torch.from_numpy(expected))
