"""A store of a million frames: what is stored is found without being read."""

import time

import numpy as np
import pytest
import torch
from frame_cases import Frames

from s2robot.encoders import make_encoder
from s2robot.features import FeatureTable
from s2robot.features.manifest import load_manifest, save_manifest
from s2robot.features.store import RECORD, FeatureStore

FRAMES, EPISODES, SHAPE = 1_000_000, 10_000, (8, 2, 2)


class Million(Frames):
    """A dataset of which only the lengths are known."""

    def __init__(self) -> None:
        super().__init__({}, "million")
        self.episodes = [f"demo_{i}" for i in range(EPISODES)]
        self.lengths = [FRAMES // EPISODES] * EPISODES


@pytest.fixture
def make_store(tmp_path):
    spec = make_encoder("lite0", sizes=(32,), backend="torch", device="cpu").spec
    return lambda: FeatureStore(spec, SHAPE, root=tmp_path)


def test_a_million_frames_open_within_a_second_and_gather(make_store) -> None:
    store = make_store()
    rows = np.random.default_rng(0).standard_normal((FRAMES, *SHAPE), dtype=np.float32).astype(np.float16)
    rows.tofile(store.folder / "rows.bin")
    records = np.zeros(FRAMES, RECORD)
    records["frame"] = np.arange(2 * FRAMES, dtype=np.uint64).view("V16")
    records.tofile(store.folder / "index.bin")
    save_manifest(store, Million(), "cam", np.arange(FRAMES))

    start = time.process_time()  # of this process, whatever else the machine does
    store, source = make_store(), Million()
    found = load_manifest(store, source, "cam")
    assert found is not None
    table = FeatureTable(store.rows(), store.row, torch.from_numpy(found), source.lengths)
    opened_s = time.process_time() - start

    assert opened_s < 1
    assert len(table) == FRAMES
    frames = torch.randint(FRAMES, (64, 2), generator=torch.Generator().manual_seed(0))
    assert torch.equal(table.gather(frames).map, torch.from_numpy(rows[frames.numpy()]))
