"""Whatever changes in a dataset is noticed episode by episode: the rest is found without being read."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from s2robot.features import CameraStore, batches, build, build_with_report, make_plan, sample
from s2robot.features.manifest import ENTRY
from s2robot.features.table import FeatureTable
from tests.features.frame_cases import CountingEncoders, Frames, random_frames, stored_in


class Recorded(Frames):
    """Episodes whose identity is the version in which they were recorded."""

    def __init__(self, episodes: dict[str, np.ndarray], **versions: int) -> None:
        super().__init__(episodes, "a")
        self.versions = versions

    def episode_identity(self, episode: str, camera: str) -> str:
        return f"{episode} {camera} {self.versions.get(episode, 0)}"


def read(source: Frames) -> set[str]:
    """Episodes that were read."""
    return {episode for episode, _, _ in source.read}


def maps(table: FeatureTable) -> torch.Tensor:
    return table.gather(torch.from_numpy(table.frames)[:, None]).map[:, 0]


def test_an_episode_that_was_recorded_again_alone_is_read_and_encoded(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    build(Recorded(episodes), "cam", encoders, stored_in(tmp_path))
    again = episodes | {"demo_2": random_frames(7, seed=50)}  # two frames longer
    source = Recorded(again, demo_2=1)

    plan = make_plan(source, ["cam"], encoders, stored_in(tmp_path))
    planned, source.read = read(source), []
    encoders.frames_encoded = 0
    table, report = build_with_report(source, "cam", encoders, stored_in(tmp_path))

    assert planned == read(source) == {"demo_2"}
    assert encoders.frames_encoded == report.frames_encoded == plan.cameras[0].frames_to_encode == 7
    assert plan.cameras[0].different_frames == 3 + 4 + 7 + 6 and report.bytes == plan.bytes
    expected = encoders.encoder("cam").encode(np.concatenate(list(again.values()))).map
    torch.testing.assert_close(maps(table).float(), expected, rtol=1e-3, atol=1e-3)


def test_merged_datasets_are_found(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    names = list(episodes)
    for part in (names[:2], names[2:]):
        build(Recorded({name: episodes[name] for name in part}), "cam", encoders, stored_in(tmp_path))
    encoders.frames_encoded = 0
    merged = Recorded({name: episodes[name] for name in reversed(names)})
    table = build(merged, "cam", encoders, stored_in(tmp_path))
    assert not merged.read and encoders.frames_encoded == 0
    whole = build(Recorded(episodes), "cam", encoders, stored_in(tmp_path))
    assert torch.equal(maps(table)[:6], maps(whole)[12:])


def test_a_linked_episode_that_was_recorded_again_is_noticed(
    tmp_path: Path, encoders: CountingEncoders
) -> None:
    def record(path: Path, seed: int) -> np.ndarray:
        frames = random_frames(3, seed)
        with h5py.File(path, "w") as file:
            file["actions"], file["obs/cam_image"] = np.zeros((3, 7)), frames
        return frames

    parts = [tmp_path / f"part_{i}.hdf5" for i in range(2)]
    for i, part in enumerate(parts):
        record(part, seed=i)
    with h5py.File(tmp_path / "linked.hdf5", "w") as file:
        for i, part in enumerate(parts):
            file[f"data/demo_{i}"] = h5py.ExternalLink(part.name, "/")
    config = stored_in(tmp_path / "store")
    before = maps(build(open_dataset(tmp_path / "linked.hdf5", proprio=[]), "cam", encoders, config))
    encoders.frames_encoded = 0

    frames = record(parts[1], seed=9)
    table = build(open_dataset(tmp_path / "linked.hdf5", proprio=[]), "cam", encoders, config)

    assert encoders.frames_encoded == 3
    assert torch.equal(maps(table)[:3], before[:3])
    expected = encoders.encoder("cam").encode(frames).map
    torch.testing.assert_close(maps(table)[3:].float(), expected, rtol=1e-3, atol=1e-3)


def test_only_the_episodes_that_are_wanted_are_read_and_encoded(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    source, config = Recorded(episodes), stored_in(tmp_path)
    plan = make_plan(source, ["cam"], encoders, config, episodes=[3, 1])
    source.read, encoders.frames_encoded = [], 0
    table, report = build_with_report(source, "cam", encoders, config, episodes=[3, 1])
    assert read(source) == {"demo_1", "demo_3"}
    assert encoders.frames_encoded == report.frames_encoded == plan.cameras[0].frames_to_encode == 4 + 6
    assert report.bytes == plan.bytes == table.nbytes and plan.cameras[0].frames == 10

    assert len(table) == 18 and table.offsets.tolist() == [0, 3, 7, 12, 18]  # numbers of the whole dataset
    assert table.frames.tolist() == [*range(3, 7), *range(12, 18)]
    for placed in (table, table.to("cpu")):
        assert torch.equal(maps(placed), maps(table))
        for frames in ([[4, 2]], [[11, 12]]):
            with pytest.raises(IndexError, match=r"frame (2|11) has no features"):
                placed.gather(torch.tensor(frames))
    mean, _ = table.channel_stats(np.arange(3, 7))
    torch.testing.assert_close(mean, maps(table)[:4].float().mean((0, 2, 3)), rtol=1e-3, atol=1e-3)
    samples = sample(source, {"cam": table}, count=99)["frames.cam"].numpy()
    assert np.array_equal(samples, np.concatenate([episodes["demo_1"], episodes["demo_3"]]))

    with pytest.raises(UserError, match=r"missing: 2 of 4 episodes, the first is demo_0"):
        CameraStore(source, "cam", encoders, config).table()


def test_an_interrupted_build_does_not_read_its_complete_episodes_again(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "COMMIT_INTERVAL_S", 0)
    monkeypatch.setattr(batches, "BATCH_FRAMES", 4)
    encoders.fails_after = 8  # demo_0, demo_1 and a frame of demo_2
    with pytest.raises(KeyboardInterrupt):
        build(Recorded(episodes), "cam", encoders, stored_in(tmp_path))
    encoders.fails_after, source = None, Recorded(episodes)
    build(source, "cam", encoders, stored_in(tmp_path))
    assert read(source) == {"demo_2", "demo_3"}


@pytest.mark.parametrize("views", [1, 3])
def test_what_is_missing_of_a_manifest_only_costs_reading(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders, views: int
) -> None:
    config = stored_in(tmp_path, views)
    expected, report = build_with_report(Recorded(episodes), "cam", encoders, config)
    (file,) = report.folder.glob("segments/*/episodes.bin")
    encoders.frames_encoded = 0
    entries = np.fromfile(file, ENTRY)
    for content, again in (
        (entries.view("u1")[:-5], {"demo_3"}),  # torn
        (entries[:0], set(episodes)),
    ):
        content.tofile(file)
        source = Recorded(episodes)
        table = build(source, "cam", encoders, config)
        assert read(source) == again
        assert encoders.frames_encoded == 0 and torch.equal(maps(table), maps(expected))
        source.read = []
        build(source, "cam", encoders, config)  # the manifest was mended
        assert not source.read
        for later in report.folder.glob("segments/*/episodes.bin"):
            later.write_bytes(b"") if later != file else entries.tofile(later)
