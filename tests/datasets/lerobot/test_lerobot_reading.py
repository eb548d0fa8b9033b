"""Every layout, codec and way of storing frames gives the frames that were written, in order."""

import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from PIL import Image

from s2robot.datasets.lerobot.files import Folder
from s2robot.datasets.lerobot.finding import LEROBOT
from s2robot.datasets.lerobot.images import open_image
from s2robot.datasets.lerobot.info import Feature
from s2robot.datasets.lerobot.video import Video
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FPS, FRONT, WRIST, Recording, opened

X265 = {"x265-params": "log-level=none:keyint=10:min-keyint=10:bframes=3:open-gop=1:scenecut=0"}
CODECS: dict[str, dict[str, Any]] = {
    "h264": {},
    "h264, B-frames": {"options": {"g": "12", "bf": "3", "crf": "20"}},
    "h264, B-frames, no edit list": {
        "options": {"g": "12", "bf": "3", "crf": "20"},
        "container": {"use_editlist": "0"},
    },
    "h264, starts late": {"start": 7},
    "hevc, open groups": {"codec": "libx265", "options": X265},
    "av1": {"codec": "libsvtav1", "options": {"g": "8", "crf": "10", "preset": "10"}},
}


def assert_near(frames: np.ndarray, expected: np.ndarray) -> None:
    """Each frame is its own one, changed by compression only."""
    assert frames.dtype == np.uint8 and frames.shape == expected.shape
    errors = np.abs(frames[:, None].astype(float) - expected[None]).mean((2, 3, 4))
    assert errors.diagonal().max() < 5
    assert errors.argmin(1).tolist() == list(range(len(frames)))


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
@pytest.mark.parametrize("codec", CODECS)
def test_videos(tmp_path: Path, version: str, codec: str) -> None:
    recording = Recording(version=version, codec=CODECS[codec])
    source = opened(recording.write(tmp_path / "set"))
    assert source.warnings == [] and source.version == version[1:]
    for episode in (1, 0, 2):
        for camera in (FRONT, WRIST):
            assert_near(source.read(episode, camera), recording.frames(episode, camera))
    assert max(source.worst_deviation_s.values()) < 1e-6


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_numbers_tasks_and_masks(tmp_path: Path, version: str) -> None:
    recording = Recording(version=version, info={"splits": {"train": "0:2", "valid": "2:3"}})
    source = opened(recording.write(tmp_path / "set"))
    for episode in range(3):
        np.testing.assert_array_equal(source.read(episode, "observation.state"), recording.state(episode))
        np.testing.assert_array_equal(source.read(episode, "action", 2, 5), recording.action(episode)[2:5])
        assert source.episodes[episode].tasks == (layouts.TASKS[episode % 2],)
    assert source.masks == {"train": ["episode_000000", "episode_000001"], "valid": ["episode_000002"]}


@pytest.mark.parametrize("version", ["v2.0", "v3.0"])
@pytest.mark.parametrize("images", ["png", "jpeg", "path"])
def test_images_in_the_data_files(tmp_path: Path, version: str, images: str) -> None:
    recording = Recording(version=version, images=images)
    source = opened(recording.write(tmp_path / "set"))
    for episode in range(3):
        frames, expected = source.read(episode, WRIST), recording.frames(episode, WRIST)
        assert_near(frames, expected)
        assert images == "jpeg" or (frames == expected).all()
        pieces = [source.read(episode, WRIST, i, i + 4) for i in range(0, len(expected), 4)]
        np.testing.assert_array_equal(np.concatenate(pieces), frames)


@pytest.mark.parametrize("codec", CODECS)
def test_any_frame_alone_is_the_one_of_a_whole_read(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "video.mp4"
    layouts.encode(path, layouts.frames_of(0, 60), **CODECS[codec])
    whole, off_s = Video(path, FPS).read(np.arange(60) / FPS)
    assert off_s.max() < 1e-6
    backwards = Video(path, FPS)
    for i in reversed(range(60)):
        frames, off_s = backwards.read(np.array([i / FPS]))
        assert off_s[0] < 1e-6 and (frames[0] == whole[i]).all(), i
        np.testing.assert_array_equal(Video(path, FPS).read(np.array([i / FPS]))[0], frames)


@pytest.mark.parametrize("matrix", ["ITU601", "ITU709"])
@pytest.mark.parametrize("levels", ["MPEG", "JPEG"])
def test_colours_are_read_as_the_file_says(tmp_path: Path, matrix: str, levels: str) -> None:
    colours, path = np.array([(200, 30, 30), (30, 200, 30), (30, 30, 200)], np.uint8), tmp_path / "video.mp4"
    frame = np.repeat(np.repeat(colours[None], 32, axis=0), 32, axis=1)  # h w 3, three stripes
    picture = VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(frame, format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace[matrix],
        dst_color_range=ColorRange[levels],
    )
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": "1", "bf": "0"})
        stream.height, stream.width = frame.shape[:2]
        stream.codec_context.color_range = ColorRange[levels].value
        stream.codec_context.colorspace = Colorspace[matrix].value
        file.mux(stream.encode(picture))
        file.mux(stream.encode())
    found, _ = Video(path, FPS).read(np.zeros(1))
    middles = found[0, 16, 16::32].astype(int)
    assert np.abs(middles - colours).max() < 8  # with another matrix or range 12 or more


def test_reading_on_decodes_each_frame_once(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    layouts.encode(path, layouts.frames_of(0, 200), options={"g": "100", "bf": "2"})
    video = Video(path, FPS)
    for start in range(0, 200, 8):
        video.read(np.arange(start, start + 8) / FPS)
    assert video.decoded == 200
    video.read(np.array([15.0]))
    assert video.decoded < 300  # from a key frame before, not from the first


@pytest.mark.parametrize(
    "names",
    [["c", "h", "w"], ["Channel", "Height", "Width"], {"channels": 3, "height": 64, "width": 80}, None],
)
def test_axes_of_a_camera_by_any_names(names: Any) -> None:
    assert Feature("image", (3, 64, 80), names).frame_shape == (64, 80, 3)
    assert Feature("image", (64, 80, 3), {"axes": ["height", "width", "channels"]}).frame_shape == (64, 80, 3)


def test_an_image_of_another_kind_is_named(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(content, "webp")
    with pytest.raises(UserError, match="row 3: a WebP image; only PNG and JPEG are decoded"):
        open_image(Folder(tmp_path), {"bytes": content.getvalue()}, "row 3")


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_the_decoded_frame_is_the_truth_of_a_camera_s_shape(tmp_path: Path, version: str) -> None:
    root = Recording(version=version).write(tmp_path / "set")
    features = {key: dict(value) for key, value in layouts.read_info(root)["features"].items()}
    features[FRONT] |= {"shape": [3, 64, 80], "names": ["channels", "height", "width"]}
    features[WRIST] |= {"shape": [48, 48, 3], "names": None}
    layouts.change_info(root, features=features)
    source = opened(root)
    assert source.episodes[0].arrays[FRONT].shape == source.episodes[0].arrays[WRIST].shape == (64, 80, 3)
    assert [warning.key for warning in source.warnings] == [WRIST]


def test_names_without_prefix_are_cameras_by_their_type(tmp_path: Path) -> None:
    recording = Recording(images="png", cameras=("image", "wrist_image"), version="v2.0")
    source = opened(recording.write(tmp_path / "set"))
    arrays = source.episodes[0].arrays
    assert [key for key, array in arrays.items() if array.kind == "frames"] == ["image", "wrist_image"]
    np.testing.assert_array_equal(source.read(2, "image"), recording.frames(2, "image"))


def test_tables_of_numbers_and_columns_of_text(tmp_path: Path) -> None:
    grid = np.arange(28 * 6).reshape(28, 3, 2)
    columns = {
        "grid": pa.array(grid.tolist(), pa.list_(pa.list_(pa.int64()))),
        "next.done": pa.array([i % 7 == 6 for i in range(28)]),
        "note": pa.array(["text"] * 28),
    }
    root = Recording(columns=columns).write(tmp_path / "set")
    declared = {
        "grid": {"dtype": "int64", "shape": [3, 2]},
        "next.done": {"dtype": "bool", "shape": [1]},
        "note": {"dtype": "string", "shape": [1]},
        "absent": {"dtype": "float32", "shape": [2]},
    }
    layouts.change_info(root, features=layouts.read_info(root)["features"] | declared)
    source = opened(root)
    np.testing.assert_array_equal(source.read(1, "grid", 3), grid[10:19])
    assert source.read(0, "next.done").tolist() == [[False]] * 6 + [[True]]
    kinds = {key: source.episodes[0].arrays[key].kind for key in declared}
    assert kinds == {"grid": "numbers", "next.done": "numbers", "note": "other", "absent": "other"}
    with pytest.raises(UserError, match=r"episode_000000, absent: .* no column"):
        source.read(0, "absent")


@pytest.mark.parametrize("column", ["task", "__index_level_0__", "description"])
def test_the_text_of_tasks_under_any_name(tmp_path: Path, column: str) -> None:
    root = Recording().write(tmp_path / "set")
    tasks = {column: ["second", "first"], "task_index": pa.array([1, 0])}  # looked up by value, not by row
    pq.write_table(pa.table(tasks), root / "meta/tasks.parquet")
    assert [episode.tasks for episode in opened(root).episodes] == [
        ("first",),
        ("second",),
        ("first",),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_json_end_at_newlines_alone(tmp_path: Path, newline: str) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    texts = ["push\u2028the block", "lift\u0085the cube"]
    lines = [json.dumps({"task_index": i, "task": text}, ensure_ascii=False) for i, text in enumerate(texts)]
    (root / "meta/tasks.jsonl").write_bytes((newline.join(lines) + newline).encode())
    assert [episode.tasks for episode in opened(root).episodes] == [(texts[0],), (texts[1],), (texts[0],)]


def test_identity_follows_the_files_of_the_episode_alone(tmp_path: Path) -> None:
    recording = Recording()
    root = recording.write(tmp_path / "set")
    source = opened(root)
    keys = [(episode, key) for episode in range(3) for key in (FRONT, WRIST, "action")]
    before = [source.identity(*key) for key in keys]
    assert before == [source.identity(*key) for key in keys] and len(set(before)) == len(keys)
    layouts.encode(root / f"videos/{WRIST}/chunk-000/file-001.mp4", recording.frames(2, FRONT)[::-1])
    changed = [key for key, old in zip(keys, before, strict=True) if source.identity(*key) != old]
    assert changed == [(1, WRIST)]


def test_folders_are_found(tmp_path: Path) -> None:
    one, two = (Recording(lengths=(3,)).write(tmp_path / "all" / name) for name in ("b", "a"))
    assert list(LEROBOT.found(one)) == [one]
    assert list(LEROBOT.found(tmp_path / "all")) == [two, one]
    three, ten = (Recording(lengths=(3,)).write(tmp_path / "many" / name) for name in ("set_3", "set_10"))
    assert list(LEROBOT.found(tmp_path / "many")) == [three, ten]
    assert list(LEROBOT.found(tmp_path)) == list(LEROBOT.found(one / "meta")) == []
