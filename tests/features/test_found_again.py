"""Real files of many demonstrations: what was encoded once is neither read nor encoded again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from s2robot.datasets import open_dataset
from s2robot.features import build, build_with_report, reading
from s2robot.types import Features
from tests.features.frame_cases import CountingEncoders, random_frames, stored_in


class NotingEncoders(CountingEncoders):
    """Keeps the frames that it encodes."""

    def encode(self, camera: str, images: np.ndarray | torch.Tensor) -> Features:
        self.noted = [*getattr(self, "noted", []), *(image.tobytes() for image in images)]
        return super().encode(camera, images)


def add_demonstrations(path: Path, numbers: range, length: int, different: int) -> list[bytes]:
    """Demonstrations of `length` random frames of which so many differ; returns the frames."""
    frames = []
    with h5py.File(path, "a") as file:
        for i in numbers:
            images = np.resize(random_frames(different, seed=i), (length, 32, 32, 3))
            file[f"data/demo_{i}/actions"] = np.zeros((length, 7))
            file[f"data/demo_{i}/obs/cam_image"] = images
            frames += [image.tobytes() for image in images]
    return frames


@contextmanager
def no_frame_may_be_touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reading an image dataset, hashing a frame and encoding one all fail."""

    def read(dataset: h5py.Dataset, *_: object, **__: object) -> None:
        raise AssertionError(f"{dataset.name} was read")

    def touched(*_: object) -> None:
        raise AssertionError("a frame was hashed or encoded")

    with monkeypatch.context() as patch:
        for way in ("__getitem__", "__array__", "read_direct", "__iter__"):
            patch.setattr(h5py.Dataset, way, read)
        patch.setattr(reading, "frame_hash", touched)
        patch.setattr(CountingEncoders, "encode", touched)
        yield


def test_an_unchanged_file_of_10000_frames_is_found_without_touching_one(
    tmp_path: Path, encoders: CountingEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "demos.hdf5"
    add_demonstrations(path, range(100), length=100, different=1)
    first = build(open_dataset(path, proprio=[]), "cam", encoders, stored_in(tmp_path), progress=False)
    dataset = open_dataset(path, proprio=[])
    with pytest.raises(AssertionError, match="cam_image was read"), no_frame_may_be_touched(monkeypatch):
        dataset.read_frames("demo_0", "cam")

    with no_frame_may_be_touched(monkeypatch):
        again, report = build_with_report(dataset, "cam", encoders, stored_in(tmp_path), progress=False)

    assert (report.frames_encoded, report.frames_found) == (0, 10_000)
    assert (again.rows == first.rows).all() and len(first.rows.unique()) == 100


def test_of_ten_more_demonstrations_exactly_their_frames_are_encoded(tmp_path: Path) -> None:
    encoders = NotingEncoders("lite0", sizes=(32,), backend="torch", device="cpu")
    path = tmp_path / "demos.hdf5"
    before = add_demonstrations(path, range(40), length=3, different=3)
    build(open_dataset(path, proprio=[]), "cam", encoders, stored_in(tmp_path), progress=False)
    assert sorted(encoders.noted) == sorted(before)
    encoders.noted = []

    added = add_demonstrations(path, range(40, 50), length=4, different=4)
    _, report = build_with_report(
        open_dataset(path, proprio=[]), "cam", encoders, stored_in(tmp_path), progress=False
    )

    assert sorted(encoders.noted) == sorted(added)
    assert (report.frames_encoded, report.frames_found) == (40, 120)
