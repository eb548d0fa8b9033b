"""A video that is damaged, short or of another rate: refused where it is read, and it blocks nothing else."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FPS, FRONT, WRIST, Recording, opened
from tests.datasets.lerobot.spoiling import LFS, V2_DATA, V3_TABLE, column, replace, retable


def test_a_video_of_another_rate_is_said(tmp_path: Path) -> None:
    recording = Recording(version="v2.1", lengths=(5,))
    root = recording.write(tmp_path / "set")
    twice = np.repeat(recording.frames(0, WRIST), 2, axis=0)
    layouts.encode(root / f"videos/chunk-000/{WRIST}/episode_000000.mp4", twice, rate=2 * FPS)
    source = opened(root)
    said = [(warning.key, "20 frames a second" in str(warning)) for warning in source.warnings]
    assert said == [(WRIST, True)]
    errors = np.abs(source.read(0, WRIST).astype(float) - recording.frames(0, WRIST))
    assert errors.mean((1, 2, 3)).max() < 5


def test_a_video_without_a_readable_header_blocks_only_itself(tmp_path: Path) -> None:
    root = Recording(version="v2.1", lengths=(5,)).write(tmp_path / "set")
    video = root / f"videos/chunk-000/{WRIST}/episode_000000.mp4"
    replace(video, video.read_bytes()[:40])
    source = opened(root)
    assert "cannot be opened as a video" in source.episodes[0].arrays[WRIST].note
    assert len(source.read(0, FRONT)) == 5


def test_a_broken_camera_blocks_only_itself(tmp_path: Path) -> None:
    root = Recording().write(tmp_path / "set")
    replace(root / f"videos/{WRIST}/chunk-000/file-001.mp4", LFS)
    (root / f"videos/{WRIST}/chunk-000/file-002.mp4").unlink()
    source = opened(root)
    assert len(source.read(1, FRONT)) == 12 and len(source.read(0, WRIST)) == 7
    notes = [source.episodes[i].arrays[WRIST].note for i in (1, 2)]
    assert "git lfs pull" in notes[0] and "is missing" in notes[1]
    with pytest.raises(UserError, match=r"episode_000001, observation.images.wrist: .*git lfs pull"):
        source.read(1, WRIST)


def test_a_video_that_ends_early_is_refused_by_row(tmp_path: Path) -> None:
    recording = Recording()
    root = recording.write(tmp_path / "set")
    layouts.encode(root / f"videos/{WRIST}/chunk-000/file-001.mp4", recording.frames(1, WRIST)[:8])
    source = opened(root)
    assert len(source.read(1, WRIST, 0, 8)) == 8
    with pytest.raises(
        UserError, match=r"episode_000001, observation.images.wrist: .*mp4: no frame within 0.05 s.*cut short"
    ):
        source.read(1, WRIST)
    generous = opened(root, tolerance_s=1.0)
    assert len(generous.read(1, WRIST)) == 12
    assert generous.worst_deviation_s[WRIST] == pytest.approx(0.4)


@pytest.mark.parametrize(("more", "warned"), [(1, False), (2, True)])
def test_a_video_that_goes_on_after_its_episode_is_said(tmp_path: Path, more: int, warned: bool) -> None:
    recording = Recording(version="v2.1")
    root = recording.write(tmp_path / "set")
    frames = recording.frames(1, WRIST)
    for episode in (1, 2):  # said of the first that is read
        video = root / f"videos/chunk-000/{WRIST}/episode_00000{episode}.mp4"
        layouts.encode(video, np.concatenate([frames, frames[:more]]))
    source = opened(root)
    for episode, rows in ((1, 12), (2, 9)):
        source.read(episode, WRIST, rows - 1, rows)  # as the check of the ends does
        if not warned:
            break
    told = [str(warning) for warning in source.warnings]
    assert len(told) == warned
    assert all("it lasts 1.4 s and its episode has 12 rows, 1.2 s" in one for one in told)


def test_a_beginning_far_beyond_the_video_is_refused(tmp_path: Path) -> None:
    root = Recording().write(tmp_path / "set")
    for row in range(3):
        retable(root / V3_TABLE, column(f"videos/{WRIST}/from_timestamp", row, 1e30))
    with pytest.raises(UserError, match=r"wrist: .*mp4: no frame within 0.05 s of row 0"):
        opened(root).read(0, WRIST)


def test_a_damaged_header_of_a_video_is_one_line_or_harmless(tmp_path: Path) -> None:
    """Its codec may be unknown then, its metadata no UTF-8, its frames of no time."""
    root = Recording(version="v2.1", lengths=(4,), cameras=(FRONT,)).write(tmp_path / "set")
    video = next(root.glob("videos/*/*/*.mp4"))
    content = video.read_bytes()
    places = {name: content.index(name) for name in (b"avc1", b"Lavf", b"mdhd", b"stsd", b"hdlr")}
    refused = 0
    for name, place in places.items():
        for spoilt in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
            video.write_bytes(content[:place] + spoilt + content[place + len(name) :])
            try:
                dataset = open_dataset(root)
                dataset.read_frames(dataset.episodes[0], "front")
            except UserError as error:
                refused += 1
                assert "\n" not in str(error) and str(root) in str(error)
    assert refused


def test_time_stamps_that_are_off_are_reported_with_the_worst_deviation(tmp_path: Path) -> None:
    root = Recording(version="v2.1").write(tmp_path / "set")
    data = root / V2_DATA
    table = pq.read_table(data)
    times = (np.arange(12) / FPS + 0.01).astype(np.float32)
    times[5] += 0.02
    at = table.schema.get_field_index("timestamp")
    pq.write_table(table.set_column(at, "timestamp", pa.array(times)), data)
    source = opened(root)
    assert ["0.03 s" in str(warning) for warning in source.warnings] == [True]
    assert source.warnings[0].episode == "episode_000001"
    np.testing.assert_array_equal(
        source.read(1, FRONT),
        opened(Recording(version="v2.1").write(tmp_path / "right")).read(1, FRONT),
    )
    assert source.worst_deviation_s[FRONT] == pytest.approx(0.03, abs=1e-5)
    assert source.warnings[1].key == FRONT and "0.03 s" in str(source.warnings[1])
    with pytest.raises(UserError, match=r"no frame within 0.02 s of row 5"):
        opened(root, tolerance_s=0.02).read(1, FRONT)
