"""What is wrong in a folder is refused in one line or said as a warning; nothing outside it is read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.lerobot.files import Folder, expand
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FPS, FRONT, WRIST, Recording, opened

V2_DATA = "data/chunk-000/episode_000001.parquet"
V3_DATA = "data/chunk-000/file-001.parquet"
V3_TABLE = "meta/episodes/chunk-000/file-000.parquet"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def replace(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def loop(folder: Path) -> None:
    """Put a link to itself in place of a folder."""
    folder.rename(folder.with_name("away"))
    folder.symlink_to(folder.name)


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-60] + b"\x7f" * 52 + content[-8:])


def retable(path: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    columns = pq.read_table(path).to_pydict()
    change(columns)
    pq.write_table(pa.table(columns), path)


def column(key: str, row: int, value: Any) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[key][row] = value

    return change


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "lance": ("v3.0", lambda r: layouts.change_info(r, storage_format="lance"), "stored as 'lance'"),
    "newer": ("v3.0", lambda r: layouts.change_info(r, codebase_version="v4.0"), "'v4.0' is not a version"),
    "newer minor": ("v3.0", lambda r: layouts.change_info(r, codebase_version="v3.1"), "'v3.1' is not"),
    "older": ("v2.0", lambda r: layouts.change_info(r, codebase_version="v1.6"), "'v1.6' is older"),
    "no version": (
        "v2.0",
        lambda r: layouts.change_info(r, codebase_version=None),
        "codebase_version is None",
    ),
    "fps": ("v3.0", lambda r: layouts.change_info(r, fps=0), "fps is 0"),
    "fps text": ("v3.0", lambda r: layouts.change_info(r, fps="10"), "fps is '10'"),
    "fps long": ("v3.0", lambda r: layouts.change_info(r, fps=10**400), "meta/info.json: fps is 1000"),
    "looping link": (
        "v3.0",
        lambda r: loop(r / "data"),
        "is a link that leads to itself",
    ),
    "damaged footer": ("v3.0", lambda r: damage(r / V3_DATA), "file-001.parquet cannot be read as parquet"),
    "no features": ("v3.0", lambda r: layouts.change_info(r, features={}), "'features' is missing"),
    "feature": (
        "v3.0",
        lambda r: layouts.change_info(r, features={"a/../b": {"dtype": "video", "shape": [1, 1, 3]}}),
        "'a/../b' is no name",
    ),
    "shape": (
        "v3.0",
        lambda r: layouts.change_info(r, features={"a": {"dtype": "float32", "shape": [-1]}}),
        "shape",
    ),
    "json": ("v3.0", lambda r: replace(r / "meta/info.json", b"{"), "info.json is not valid JSON"),
    "deep json": ("v3.0", lambda r: replace(r / "meta/info.json", b"[" * 100_000), "is not valid JSON"),
    "long number": ("v3.0", lambda r: replace(r / "meta/info.json", b"9" * 9_999), "is not valid JSON"),
    "deep json line": (
        "v2.1",
        lambda r: replace(r / "meta/episodes.jsonl", b"[" * 100_000),
        "line 1 is not valid JSON",
    ),
    "lfs info": ("v3.0", lambda r: replace(r / "meta/info.json", LFS), "git lfs pull"),
    "lfs data": ("v3.0", lambda r: replace(r / V3_DATA, LFS), r"file-001.parquet is a Git LFS pointer"),
    "unfinished data": ("v3.0", lambda r: truncate(r / V3_DATA), "file-001.parquet .* not finalised"),
    "unfinished episodes": ("v3.0", lambda r: truncate(r / V3_TABLE), "file-000.parquet .* not finalised"),
    "unfinished v2": ("v2.1", lambda r: truncate(r / V2_DATA), "episode_000001.parquet .* not finalised"),
    "no data": ("v2.1", lambda r: (r / V2_DATA).unlink(), "episode_000001.parquet is missing"),
    "no episodes": ("v3.0", lambda r: (r / V3_TABLE).unlink(), "meta/episodes holds no episodes"),
    "empty episodes": ("v2.1", lambda r: replace(r / "meta/episodes.jsonl", b""), "holds no episodes"),
    "jsonl": ("v2.1", lambda r: replace(r / "meta/episodes.jsonl", b"{}\n[]\n"), "line 2: found"),
    "no tasks": ("v3.0", lambda r: (r / "meta/tasks.parquet").unlink(), "tasks.parquet is missing"),
    "twice": ("v3.0", lambda r: retable(r / V3_TABLE, column("episode_index", 1, 0)), "0 appears more than"),
    "no rows": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, column("data/file_index", 1, 0)),
        "episode_000001: it has no rows",
    ),
    "from": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, column(f"videos/{FRONT}/from_timestamp", 1, None)),
        "episode 1: videos/observation.images.front/from_timestamp is None",
    ),
    "frame order": (
        "v3.0",
        lambda r: retable(r / V3_DATA, column("frame_index", 3, 9)),
        "episode_000001: frame_index is 9 in its row 3",
    ),
    "a number too long for a name": (
        "v2.1",
        lambda r: replace(r / "meta/episodes.jsonl", b'{"episode_index": %d, "length": 7}' % 10**300),
        "can be no path: File name too long",
    ),
    "times in metadata": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, lambda t: t.update(length=list(np.ones(3, "M8[ns]")))),
        r"file-000.parquet: length: timestamp\[ns\] cannot be read",
    ),
    "no episode": (
        "v2.1",
        lambda r: retable(r / V2_DATA, lambda t: t.update(episode_index=[float("nan")] * 12)),
        "episode_index: found nan, expected whole numbers",
    ),
    "endless index": (
        "v2.1",
        lambda r: retable(r / V2_DATA, lambda t: t.update(episode_index=[float("inf")] * 12)),
        "episode_index: found a number that is not finite",
    ),
    "pairs of indices": (
        "v2.1",
        lambda r: retable(r / V2_DATA, lambda t: t.update(frame_index=[[0, 1]] * 12)),
        "frame_index: found 24 numbers in 12 rows",
    ),
    "endless length": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, lambda t: t.update(length=[float("inf")] * 3)),
        "episode 0: length is inf",
    ),
    "mixed episodes": (
        "v3.0",
        lambda r: retable(r / V3_DATA, column("episode_index", 5, 2)),
        "episode_000001: its rows do not follow|episode_000002: frame_index",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(tmp_path: Path, case: str) -> None:
    version, spoil, message = REFUSED[case]
    root = Recording(version=version, images="png").write(tmp_path / "set")
    if case == "from":
        root = Recording(version=version).write(tmp_path / "videos")
    spoil(root)
    with pytest.raises(UserError, match=message) as caught:
        opened(root)
    assert "\n" not in str(caught.value) and str(root) in str(caught.value)


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


def test_what_many_episodes_have_in_common_is_said_once(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    layouts.write_lines(root / "meta/tasks.jsonl", [])
    layouts.change_info(root, total_tasks=0)
    assert [warning.problem for warning in opened(root).warnings] == [
        "task_index 0 has no text among the tasks (and 2 more episodes)"
    ]


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
        UserError, match=r"episode_000001, observation.images.wrist: .*mp4: no frame within 0.05 s"
    ):
        source.read(1, WRIST)
    generous = opened(root, tolerance_s=1.0)
    assert len(generous.read(1, WRIST)) == 12
    assert generous.worst_deviation_s[WRIST] == pytest.approx(0.4)


def test_a_beginning_far_beyond_the_video_is_refused(tmp_path: Path) -> None:
    root = Recording().write(tmp_path / "set")
    for row in range(3):
        retable(root / V3_TABLE, column(f"videos/{WRIST}/from_timestamp", row, 1e30))
    with pytest.raises(UserError, match=r"wrist: .*mp4: no frame within 0.05 s of row 0"):
        opened(root).read(0, WRIST)


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


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_metadata_that_lie_are_counted_and_said(tmp_path: Path, version: str) -> None:
    root = Recording(version=version, images="png").write(tmp_path / "set")
    layouts.change_info(
        root, total_frames=1000, total_episodes=5, splits={"train": "0:5", "odd": "all"}, total_tasks=2
    )
    if version == "v3.0":
        retable(root / V3_TABLE, column("length", 1, 99))
    else:
        lines = [{"episode_index": i, "tasks": [], "length": n} for i, n in enumerate((7, 99, 9))]
        layouts.write_lines(root / "meta/episodes.jsonl", lines)
    source = opened(root)
    said = " | ".join(str(warning) for warning in source.warnings)
    for words in (
        "total_frames is 1000; counted 28",
        "total_episodes is 5; counted 3",
        "episode_000001: length is 99; counted 12 rows",
        "split 'train' is '0:5', of which 3 episodes are there",
        "split 'odd' is 'all'",
    ):
        assert words in said
    assert len(source.warnings) == 5
    assert source.masks == {}
    assert source.episodes[1].arrays["action"].rows == len(source.read(1, "action")) == 12


def test_episodes_beside_the_metadata_and_gaps_are_said(tmp_path: Path) -> None:
    root = Recording(images="png").write(tmp_path / "set")
    table = pq.read_table(root / V3_TABLE)
    pq.write_table(table.take([0, 2]), root / V3_TABLE)
    source = opened(root)
    said = " | ".join(str(warning) for warning in source.warnings)
    assert "rows of episode 1 are left out" in said
    assert "episodes are not numbered 0 to 1" in said
    np.testing.assert_array_equal(source.read(1, "action"), Recording().action(2))


def test_depth_is_listed_and_left_alone(tmp_path: Path) -> None:
    root = Recording(lengths=(3,)).write(tmp_path / "set")
    info = layouts.read_info(root)
    info["features"][WRIST]["info"] = {"video.is_depth_map": True}
    layouts.change_info(root, **info)
    array = opened(root).episodes[0].arrays[WRIST]
    assert array.kind == "other" and "depth" in array.note
    grey = Recording(
        lengths=(3,),
        codec={"codec": "libx265", "pix_fmt": "gray12le", "options": {"x265-params": "log-level=none"}},
    ).write(tmp_path / "grey")
    assert {opened(grey).episodes[0].arrays[key].kind for key in (FRONT, WRIST)} == {"other"}


def test_rows_of_differing_width_and_nulls_are_named(tmp_path: Path) -> None:
    for name, cell, message in (
        ("short", [1.0], "action, row 2: 1 numbers; expected 3"),
        ("null", None, "action, row 2: no value"),
        ("null inside", [0.0, None, 0.0], "action, row 2: no value"),
    ):
        root = Recording(version="v2.1", images="png").write(tmp_path / name)
        retable(root / V2_DATA, column("action", 2, cell))
        with pytest.raises(UserError, match=message):
            opened(root).read(1, "action")
    layouts.change_info(
        root, features=layouts.read_info(root)["features"] | {"action": {"dtype": "float32", "shape": [5]}}
    )
    with pytest.raises(UserError, match=r"rows have shape \(3,\); expected \(5,\)"):
        opened(root).read(0, "action")


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


def test_rows_that_are_empty_are_named(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    rows: Any = [np.zeros(0, np.float32)]
    retable(root / V2_DATA, lambda columns: columns.update(action=rows * len(columns["action"])))
    with pytest.raises(UserError, match=r"episode_000001, action: rows have shape \(0,\); expected \(3,\)"):
        open_dataset(root)


@pytest.mark.parametrize("tasks", [3.5, "push the block", None])
def test_tasks_that_are_no_list(tasks: Any, tmp_path: Path) -> None:
    root = Recording(images="png").write(tmp_path / "set")
    retable(root / V3_TABLE, lambda columns: columns.update(tasks=[tasks] * 3))
    assert opened(root).episodes[0].tasks == ("push the block",)  # by the index in its rows


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            [b"\x89PNG\r\n\x1a\n\0\0\0\x05IHDR" + bytes(9)],
            r"no readable PNG or JPEG image: Truncated IHDR chunk",
        ),
        ([[1, 2]], "found list, expected the bytes of an image"),
    ],
)
def test_cells_that_hold_no_image(cells: list[Any], told: str, tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png", cameras=(FRONT,)).write(tmp_path / "set")
    for data in root.glob("data/*/*.parquet"):
        retable(data, lambda columns: columns.update({FRONT: [{"bytes": cells[0]}] * len(columns[FRONT])}))
    with pytest.raises(UserError, match=told):
        open_dataset(root)


def test_names_of_columns_that_are_no_text(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    content = (root / V2_DATA).read_bytes()
    (root / V2_DATA).write_bytes(content.replace(b"observation.state", b"observation.\xb8tate"))
    with pytest.raises(UserError, match=r"episode_000001.parquet") as raised:
        open_dataset(root)
    assert "\n" not in str(raised.value)
