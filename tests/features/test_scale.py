"""A store of a million frames in ten thousand episodes: what is stored is found without being read."""

import time
from pathlib import Path

import numpy as np
import torch

from s2robot.features import CameraStore
from s2robot.features.store import RECORD
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


def test_a_million_frames_open_within_a_second_and_gather(tmp_path: Path) -> None:
    encoders = CountingEncoders("lite0", sizes=(SIDE,), output_grid=(1, 1), backend="torch", device="cpu")
    opened = CameraStore(Million(), "cam", encoders, stored_in(tmp_path))
    assert opened.shape == SHAPE and len(opened.missing) == EPISODES
    rows = np.random.default_rng(0).standard_normal((FRAMES, 8), dtype=np.float32).astype(np.float16)
    np.repeat(rows, SHAPE[0] // 8, axis=1).tofile(opened.store.rows_file)
    records = np.zeros(FRAMES, RECORD)
    records["frame"] = np.arange(2 * FRAMES, dtype=np.uint64).view("V16")
    records.tofile(opened.store.folder / "index.bin")
    opened.rows[:, 0] = np.arange(FRAMES)
    opened.remember(range(EPISODES))

    start = time.process_time()  # of this process, whatever else the machine does
    table = CameraStore(Million(), "cam", encoders, stored_in(tmp_path)).table()
    opened_s = time.process_time() - start

    assert opened_s < 1
    assert len(table) == FRAMES
    frames = torch.randint(FRAMES, (64, 2), generator=torch.Generator().manual_seed(0))
    expected = np.repeat(rows[frames.numpy()], SHAPE[0] // 8, axis=-1)[..., None, None]
    assert torch.equal(table.gather(frames).map, torch.from_numpy(expected))
