"""Frames that are kept as JPEG or PNG streams, and files of one episode each."""

import base64
import io
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, picture, without, write

FRAMES = picture(6, 32, 24)


def encoded(kind: str) -> list[bytes]:
    streams = []
    for frame in FRAMES:
        out = io.BytesIO()
        Image.fromarray(frame).save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
        streams.append(out.getvalue())
    return streams


def store(group: h5py.Group, key: str, streams: list[bytes], layout: str) -> None:
    rows = [np.frombuffer(stream, np.uint8) for stream in streams]
    longest = max(map(len, rows)) + 5
    if layout == "varying":
        array = group.create_dataset(key, (len(rows),), h5py.vlen_dtype(np.uint8))
        for i, row in enumerate(rows):
            array[i] = row
    elif layout == "padded":
        group[key] = np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
    else:
        group[key] = np.array(streams, dtype="V" if layout == "opaque" else "S")


@pytest.mark.parametrize("layout", ["varying", "padded", "bytes", "opaque"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_streams_are_decoded(kind: str, layout: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [without(demo(), "obs/agentview_image")])
    streams = encoded(kind)
    if layout == "opaque":
        longest = max(map(len, streams))
        streams = [stream.ljust(longest, b"\0") for stream in streams]
    with h5py.File(path, "a") as file:
        store(file["data/demo_0/obs"], "top", streams, layout)
    dataset = open_dataset(path)
    assert dataset.image_size("top") == (32, 24)
    frames = dataset.read_frames("demo_0", "top", 2, 5)
    assert frames.shape == (3, 32, 24, 3) and frames.dtype == np.uint8
    expected = [np.asarray(Image.open(io.BytesIO(stream))) for stream in encoded(kind)[2:5]]
    np.testing.assert_array_equal(frames, expected)
    assert np.abs(frames.astype(int) - FRAMES[2:5]).mean() < (5 if kind == "JPEG" else 1e-9)


def test_a_damaged_stream_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [without(demo(), "obs/agentview_image")])
    streams = encoded("PNG")
    streams[3] = streams[3][:40]
    with h5py.File(path, "a") as file:
        store(file["data/demo_0/obs"], "top", streams, "varying")
    with pytest.raises(
        UserError,
        match=r"obs/top: it cannot be read: row 3 cannot be decoded as JPEG or PNG: its header is damaged$",
    ):
        open_dataset(path).read_frames("demo_0", "top")


def test_streams_of_16_bits_are_depth_as_in_lerobots_reader(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((32, 24), 40_000, np.uint16)).save(out, "PNG")
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        store(file["data/demo_0/obs"], "depth", [out.getvalue()] * 6, "varying")
        store(
            file["data/demo_0/obs"],
            "top",
            [*encoded("PNG")[:3], out.getvalue(), *encoded("PNG")[4:]],
            "varying",
        )
    dataset = open_dataset(path)
    assert sorted(dataset.cameras) == ["agentview", "top"]
    assert "left alone: obs/depth" in str(dataset.warnings[0])
    with pytest.raises(UserError, match=r"obs/top: .*row 3 .* a I;16 image, depth, no colours"):
        dataset.read_frames("demo_0", "top")
    with pytest.raises(UserError, match=r"obs/depth: .*depth, no colours"):
        open_dataset(path, cameras=["depth"])


def test_a_stream_that_cannot_be_read_is_not_left_out_unasked(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        store(file["data/demo_0/obs"], "top", [b"\x89PNG\r\n\x1a\n" + bytes(range(1, 99))] * 6, "padded")
    told = r"obs/top: .*as JPEG or PNG: its header is damaged; data.cameras=\[agentview\]"
    with pytest.raises(UserError, match=told):
        open_dataset(path)
    assert list(open_dataset(path, cameras=["agentview"]).cameras) == ["agentview"]


def header_of(width: int, height: int, bits: int = 8) -> bytes:
    """A PNG file that says it is this large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    size = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def webp() -> bytes:
    out = io.BytesIO()
    Image.fromarray(FRAMES[0]).save(out, "WEBP")
    return out.getvalue()


NO_STREAMS = {
    "webp": (webp(), "its first row holds a WebP image: only JPEG and PNG are decoded"),
    "base64": (
        base64.b64encode(webp()),
        "its first row holds an image as base64 text: only JPEG and PNG are decoded, stored as bytes",
    ),
    "zeros": (bytes(200), "its first row holds bytes that are no JPEG or PNG, all of them zero"),
    "garbage": (
        b"\xff\xd8\xff" + b"x" * 200,
        "its first row cannot be decoded as JPEG or PNG: its header is damaged",
    ),
    "deep colours": (
        header_of(24, 32, bits=16),
        "its first row is a PNG of 16 bits a colour, of which 8 would be lost; store frames as uint8",
    ),
    "too large": (
        header_of(60000, 60000),
        "its first row cannot be decoded as JPEG or PNG: .*3600000000",
    ),
}


@pytest.mark.parametrize("layout", ["varying", "padded"])
@pytest.mark.parametrize("case", NO_STREAMS)
def test_rows_that_are_no_streams_say_what_they_are(case: str, layout: str, tmp_path: Path) -> None:
    first, told = NO_STREAMS[case]
    path = write(tmp_path / "d.hdf5", [without(demo(seed=i), "obs/agentview_image") for i in range(2)])
    with h5py.File(path, "a") as file:
        store(file["data/demo_0/obs"], "top", encoded("JPEG"), layout)
        store(file["data/demo_1/obs"], "top", [first, *encoded("JPEG")[1:]], layout)
    with pytest.raises(UserError, match=rf"demo_1, obs/top: .*{told}") as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value) and "object at" not in str(raised.value)


def test_a_folder_of_alohas_episodes(tmp_path: Path) -> None:
    for i in (10, 9):
        with h5py.File(tmp_path / f"episode_{i}.hdf5", "w") as file:
            file.attrs["sim"] = True
            file["action"] = np.full((6, 14), i / 10)
            file["observations/qpos"] = np.ones((6, 14))
            store(file.create_group("observations/images"), "cam_high", encoded("PNG"), "padded")
    dataset = open_dataset(tmp_path)
    assert dataset.format == "aloha"
    assert list(dataset.episodes) == ["episode_9", "episode_10"]
    assert list(dataset.cameras) == ["cam_high"]
    assert list(dataset.proprio_keys) == ["qpos"]
    assert dataset.actions()[:, 0].tolist() == pytest.approx([0.9] * 6 + [1.0] * 6)
    np.testing.assert_array_equal(dataset.read_frames("episode_10", "cam_high"), FRAMES)
    assert list(open_dataset(tmp_path / "episode_9.hdf5").episodes) == ["episode_9"]


def test_droids_episodes_have_their_actions_in_parts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "trajectory.h5", "w") as file:
        file["action/cartesian_position"], file["action/gripper_position"] = np.ones((6, 6)), np.zeros(6)
        state = file.create_group("observation/robot_state")
        state["cartesian_position"], state["gripper_position"] = np.ones((6, 6)), np.zeros(6)
        file["observation/camera/image/hand_camera_left_image"] = picture(6)
    dataset = open_dataset(tmp_path / "trajectory.h5")
    assert dataset.actions().tolist() == [[1] * 6 + [0]] * 6
    assert list(dataset.cameras) == ["hand_camera_left"]


@pytest.mark.parametrize("begins", ["", "data:image/png;base64,"])
def test_text_of_images_is_refused_by_name(begins: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [without(demo(), "obs/agentview_image")])
    texts = [begins + base64.b64encode(stream).decode() for stream in encoded("PNG")]
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs"].create_dataset("top", data=texts, dtype=h5py.string_dtype())
    with pytest.raises(UserError, match=r"top .*an image as base64 text") as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("layout", ["varying", "padded"])
def test_streams_of_signed_bytes_are_decoded(layout: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [without(demo(), "obs/agentview_image")])
    rows = [np.frombuffer(stream, np.int8) for stream in encoded("PNG")]
    with h5py.File(path, "a") as file:
        if layout == "varying":
            array = file.create_dataset("data/demo_0/obs/top", (6,), h5py.vlen_dtype(np.int8))
            for i, row in enumerate(rows):
                array[i] = row
        else:
            longest = max(map(len, rows))
            file["data/demo_0/obs/top"] = np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
    np.testing.assert_array_equal(open_dataset(path).read_frames("demo_0", "top"), FRAMES)
