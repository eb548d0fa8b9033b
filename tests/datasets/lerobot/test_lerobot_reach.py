"""Nothing outside of a LeRobot folder is read, and nothing that is no regular file."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.lerobot.files import Folder, expand
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FRONT, WRIST, Recording, opened


@pytest.mark.parametrize(
    "template",
    [
        "../../{episode_index}.parquet",
        "/etc/{episode_index}",
        "data/{episode_index.__class__}",
        "data/{episode_index!r}",
        "data/{episode_index:999999999d}",
        "data/{0}",
        "data/{}",
        "data/{unknown}",
        "data/{episode_index",
        "data/\0{episode_index}",
    ],
)
def test_templates_reach_nothing_else(tmp_path: Path, template: str) -> None:
    root = Recording(version="v2.1", lengths=(2,)).write(tmp_path / "set")
    layouts.change_info(root, data_path=template)
    with pytest.raises(UserError, match=r"outside the dataset|template|null character"):
        opened(root)


def test_templates_as_they_are_used() -> None:
    numbers = {"chunk_index": 3, "file_index": 1234}
    template = "v/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}-{file_index}.mp4"
    assert expand(template, numbers, "a.b", "") == "v/a.b/chunk-003/file-1234-1234.mp4"


def test_links_end_inside_or_where_the_user_allows(tmp_path: Path) -> None:
    root = Recording(lengths=(3,)).write(tmp_path / "set")
    target = tmp_path / "elsewhere" / "file.mp4"
    target.parent.mkdir()
    video = root / f"videos/{FRONT}/chunk-000/file-000.mp4"
    video.rename(target)
    video.symlink_to(target)
    with pytest.raises(UserError, match=r"outside the dataset .* data.allow_links"):
        opened(root)
    source = opened(root, allow_links=[target.parent])
    assert len(source.read(0, FRONT)) == 3


def test_a_snapshot_in_the_cache_of_hugging_face_is_read(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "datasets--a--b/blobs", tmp_path / "datasets--a--b/snapshots/0123"
    blobs.mkdir(parents=True)
    Recording(lengths=(3,)).write(tmp_path / "set")
    for i, path in enumerate(p for p in sorted((tmp_path / "set").rglob("*")) if p.is_file()):
        link = snapshot / path.relative_to(tmp_path / "set")
        link.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blobs / str(i))
        link.symlink_to(blobs / str(i))
    assert len(opened(snapshot).read(0, WRIST)) == 3


def test_images_by_path_stay_inside(tmp_path: Path) -> None:
    root = Recording(images="path", version="v2.1", lengths=(2,)).write(tmp_path / "set")
    data = root / "data/chunk-000/episode_000000.parquet"
    table = pq.read_table(data)
    outside = tmp_path / "secret.png"
    (root / f"images/{FRONT}/episode_000000/frame_000000.png").rename(outside)
    cells = table[FRONT].to_pylist()
    cells[1]["path"] = "../secret.png"
    at = table.schema.get_field_index(FRONT)
    pq.write_table(table.set_column(at, FRONT, pa.array(cells, table[FRONT].type)), data)
    outside.rename(root / f"images/{FRONT}/episode_000000/frame_000000.png")
    with pytest.raises(UserError, match=r"row 1: '../secret.png' leads to .* outside the dataset"):
        opened(root).read(0, FRONT)


def test_a_folder_is_confined_however_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recording(lengths=(2,)).write(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for path in (Path("set"), Path("link"), Path("set/../set")):
        assert len(opened(path).read(0, FRONT)) == 2
    with pytest.raises(UserError, match="outside"):
        Folder(Path("set")).inside("meta/../../x", "test")


PIPES = [
    ("v2.1", "meta/info.json"),
    ("v2.1", "meta/episodes.jsonl"),
    ("v2.1", "meta/tasks.jsonl"),
    ("v2.1", "data/chunk-000/episode_000001.parquet"),
    ("v2.1", "videos/chunk-000/observation.images.front/episode_000000.mp4"),
    ("v2.1", "extras/dataset_meta.json"),
    ("v2.1", "extras/episode_000000/arrays.npz"),
    ("v3.0", "meta/tasks.parquet"),
    ("v3.0", "meta/episodes/chunk-000/file-000.parquet"),
    ("v3.0", "data/chunk-000/file-000.parquet"),
    ("v3.0", "videos/observation.images.wrist/chunk-000/file-001.mp4"),
]


@pytest.mark.parametrize(("version", "name"), PIPES)
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_only_regular_files_are_opened(
    version: str, name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    """A pipe would be waited for, a device read without end."""
    root = Recording(version=version).write(tmp_path / "set")
    (root / name).unlink(missing_ok=True)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    make(root / name)
    with pytest.raises(UserError, match=r"no regular file but a pipe|outside the dataset") as raised:
        open_dataset(root, proprio=["observation.state"])
    assert "\n" not in str(raised.value)
