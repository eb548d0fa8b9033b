"""`s2robot validate` of LeRobot folders, and of streams of images that cannot be decoded."""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.datasets.lerobot.layouts import Recording, encode
from tests.datasets.small_files import demo, picture, write
from tests.datasets.tools.validating import said, validate


def test_lerobot_sets_are_validated_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Recording(version="v2.1", info={"total_frames": 3}).write(tmp_path / "set")
    errors, warnings = validate(capsys, monkeypatch, path, "--pixels")
    assert errors == []
    assert any("total_frames is 3; counted 28" in one["problem"] for one in warnings)
    for video in path.glob("videos/*/observation.images.front/episode_00000[12].mp4"):
        video.write_bytes(video.read_bytes()[:3000])
    errors, _ = validate(capsys, monkeypatch, path, "--pixels", status=1)
    assert {one["key"] for one in errors} == {"observation.images.front"}
    assert [one["episode"] for one in errors] == ["episode_000001", "episode_000002"]


def test_all_faults_of_a_lerobot_set_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Recording(version="v2.1", lengths=(7, 12, 9, 5, 6, 8)).write(tmp_path / "set")
    data = [path / f"data/chunk-000/episode_{i:06d}.parquet" for i in range(6)]
    data[1].write_bytes(data[1].read_bytes()[:300])
    data[2].unlink()
    _change(data[3], "frame_index", lambda rows: [*rows[:2], 7, *rows[3:]])
    _change(data[4], "action", lambda rows: [row[:2] for row in rows])
    _change(data[5], "observation.state", lambda rows: [*rows[:3], [0, 1, 2, float("nan")], *rows[4:]])
    errors, _ = validate(capsys, monkeypatch, path, status=1)
    assert "not finalised" in said(errors, "episode_000001", "")
    assert "is missing" in said(errors, "episode_000002", "")
    assert "frame_index is 7 in its row 2" in said(errors, "episode_000003", "")
    assert "rows have shape (2,)" in said(errors, "episode_000004", "action")
    assert "row 3, column 3" in said(errors, "episode_000005", "observation.state")
    assert "episode_000000" not in {one["episode"] for one in errors}


def _change(file: Path, key: str, change: Callable[[list], list]) -> None:
    table = pq.read_table(file)
    values = pa.array(change(table[key].to_pylist()))
    pq.write_table(table.set_column(table.schema.get_field_index(key), key, values), file)


def test_a_camera_that_cannot_be_read_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Recording().write(tmp_path / "set")
    for video in path.glob("videos/observation.images.front/*/*.mp4"):
        video.write_bytes(video.read_bytes()[:2000])
    errors, _ = validate(capsys, monkeypatch, path, status=1)
    assert "cannot be opened" in said(errors, "episode_000002", "observation.images.front")


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_the_place_of_a_frame_that_cannot_be_decoded_is_said_once(
    version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Recording(version=version).write(tmp_path / "set")
    video = next(path.glob("videos/**/*001.mp4"))
    video.write_bytes(video.read_bytes()[:2000])
    streams = np.array([jpeg(frame) for frame in picture(6, 16, 16)], dtype=h5py.vlen_dtype(np.uint8))
    streams[4] = streams[4][:80]
    hdf5 = write(tmp_path / "d.hdf5", [demo(obs__agentview_image=streams)])
    for one in (path, hdf5):
        errors, _ = validate(capsys, monkeypatch, one, "--pixels", status=1)
        (error,) = errors
        assert "cannot be" in error["problem"]
        for place in (error["file"], error["episode"] + ",", error["key"] + ":", error["key"] + ","):
            assert place not in error["problem"]
        assert error["problem"].count(video.name) == (one == path)


def jpeg(frame: np.ndarray) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(frame).save(content, "jpeg")
    return np.frombuffer(content.getvalue(), np.uint8)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_video_that_ends_before_its_rows_is_found_without_decoding_it(
    version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time stamps of a clock instead of the recording's own time: no frame is near any of them."""
    path = Recording(version=version).write(tmp_path / "set")
    for data in path.glob("data/*/*.parquet"):
        _change(data, "timestamp", lambda rows: [1.7e9 + row for row in rows])
    errors, _ = validate(capsys, monkeypatch, path, status=1)
    whole = {""} if version == "v3.0" else set()  # the dataset then has no camera
    assert {one["key"] for one in errors} == {"observation.images.front", "observation.images.wrist", *whole}
    told = "no frame within" if version == "v2.1" else "would get frames of another episode"
    assert all(told in one["problem"] for one in errors)


def test_a_video_that_goes_on_after_its_rows_is_found_without_decoding_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(version="v2.1")
    path, key = recording.write(tmp_path / "set"), "observation.images.wrist"
    frames = recording.frames(1, key)
    encode(path / f"videos/chunk-000/{key}/episode_000001.mp4", np.concatenate([frames, frames[:3]]))
    _, warnings = validate(capsys, monkeypatch, path)
    assert any(one["key"] == key and "it lasts 1.5 s and its episode" in one["problem"] for one in warnings)
