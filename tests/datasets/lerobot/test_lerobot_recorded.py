"""Folders that the package lerobot 0.4.4 wrote itself, and the frames that it was given."""

from pathlib import Path

import numpy as np
import pytest

from tests.datasets.lerobot.layouts import opened

DATA = Path(__file__).with_name("data")
CAMERAS = ("front", "wrist")
EPISODES, FRAMES = 3, 12


@pytest.fixture(scope="module")
def raw() -> dict[str, np.ndarray]:
    with np.load(DATA / "lerobot_v3_av1_raw.npz") as file:
        return dict(file)


@pytest.mark.parametrize("folder", ["lerobot_v3_av1", "lerobot_v3_h264"])
@pytest.mark.parametrize("camera", CAMERAS)
def test_every_frame_is_near_its_raw_one_in_order(
    folder: str, camera: str, raw: dict[str, np.ndarray]
) -> None:
    source = opened(DATA / folder)
    for episode in range(EPISODES):
        frames = source.read(episode, f"observation.images.{camera}").astype(float)
        expected = np.stack([raw[f"{episode}_{i}_{camera}"] for i in range(FRAMES)])
        errors = np.abs(frames[:, None] - expected[None]).mean((2, 3, 4))  # read, raw
        assert errors.diagonal().max() < 4
        assert errors.argmin(1).tolist() == list(range(FRAMES))
    assert source.worst_deviation_s[f"observation.images.{camera}"] < 1e-6


@pytest.mark.parametrize("folder", ["lerobot_v3_av1", "lerobot_v3_h264"])
def test_what_the_folder_holds(folder: str) -> None:
    source = opened(DATA / folder)
    assert (source.format, source.version, source.fps, source.actions) == ("lerobot", "3.0", 10, "action")
    assert [episode.name for episode in source.episodes] == [f"episode_{i:06d}" for i in range(EPISODES)]
    assert [episode.tasks for episode in source.episodes] == [
        ("push the block",),
        ("lift the cube",),
        ("push the block",),
    ]
    assert source.masks == {}  # "train" of all episodes divides nothing
    assert source.warnings == []
    arrays = source.episodes[1].arrays
    assert {key: (array.kind, array.rows, array.shape) for key, array in arrays.items()} == {
        "observation.state": ("numbers", FRAMES, (6,)),
        "action": ("numbers", FRAMES, (6,)),
        "observation.images.front": ("frames", FRAMES, (96, 96, 3)),
        "observation.images.wrist": ("frames", FRAMES, (96, 96, 3)),
    }
    assert source.read(1, "action").shape == (FRAMES, 6)
    assert source.env_args is None


def test_identities_differ_by_episode_and_camera() -> None:
    source = opened(DATA / "lerobot_v3_h264")
    keys = [f"observation.images.{camera}" for camera in CAMERAS]
    identities = {source.identity(episode, key) for episode in range(EPISODES) for key in keys}
    assert len(identities) == EPISODES * len(CAMERAS)
