"""`s2robot subset`, `split` and `merge` of LeRobot folders: what is in them is copied, not encoded again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import open_dataset
from tests.datasets.lerobot.layouts import FRONT, Recording, change_info, read_info

Run = Callable[..., dict]
Refused = Callable[..., None]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("images", [None, "png", "path"])
def test_a_subset_of_a_lerobot_folder_is_exact(version: str, images: Any, tmp_path: Path, run: Run) -> None:
    recording = Recording(version=version, images=images, columns={"next.reward": pa.array(np.arange(28.0))})
    features = {"next.reward": {"dtype": "float64", "shape": [1], "names": None}}
    a = recording.write(tmp_path / "a")
    info = json.loads((a / "meta/info.json").read_text())
    (a / "meta/info.json").write_text(json.dumps({**info, "features": {**info["features"], **features}}))
    done = run("subset", a, "--out", tmp_path / "b", "--episodes", "episode_000000,episode_000002")
    assert (done["episodes"], done["lost"]) == (2, [])
    shutil.move(a, tmp_path / "moved")  # the copy does not depend on it
    copy, source = open_dataset(tmp_path / "b"), open_dataset(tmp_path / "moved")
    assert (copy.version, list(copy.lengths), copy.fps) == ("3.0", [7, 9], 10.0)
    assert copy.warnings == open_dataset(tmp_path / "b").warnings
    rows = np.r_[0:7, 19:28]
    for name, once in (("episode_000000", "episode_000000"), ("episode_000001", "episode_000002")):
        for camera in ("front", "wrist"):
            np.testing.assert_array_equal(copy.read_frames(name, camera), source.read_frames(once, camera))
    np.testing.assert_array_equal(copy.actions(), source.actions()[rows])
    np.testing.assert_array_equal(copy.numbers("next.reward"), source.numbers("next.reward")[rows])
    assert [one.recorded.tasks for one in copy.records] == [("push the block",)] * 2
    data = pq.read_table(next((tmp_path / "b").glob("data/*/*.parquet")))
    assert data["index"].to_pylist() == list(range(16))
    assert data["episode_index"].to_pylist() == [0] * 7 + [1] * 9
    assert set(data["task_index"].to_pylist()) == {0}
    stats = json.loads((tmp_path / "b/meta/stats.json").read_text())
    np.testing.assert_allclose(stats["action"]["mean"], source.actions()[rows].mean(0), rtol=1e-5)
    assert np.shape(stats["observation.images.front"]["std"]) == (3, 1, 1)


def test_lerobot_folders_are_merged_and_split(tmp_path: Path, run: Run, refused: Refused) -> None:
    a, b = Recording().write(tmp_path / "a"), Recording(lengths=(5, 6), version="v2.1").write(tmp_path / "b")
    run("merge", a, b, "--out", tmp_path / "both")
    both = open_dataset(tmp_path / "both")
    assert list(both.lengths) == [7, 12, 9, 5, 6]
    np.testing.assert_array_equal(
        both.read_frames("episode_000004", "wrist"), open_dataset(b).read_frames("episode_000001", "wrist")
    )
    done = run("split", tmp_path / "both", "--out", tmp_path / "split", "--valid", "0.4")
    assert done["masks"] == {"train": 3, "valid": 2}
    assert sorted(map(len, open_dataset(tmp_path / "split").splits("train", "valid"))) == [2, 3]
    again = run("subset", tmp_path / "split", "--out", tmp_path / "held_out", "--mask", "valid")
    assert (again["episodes"], again["masks"]) == (2, {"valid": 2})
    other = Recording(cameras=["observation.images.top"]).write(tmp_path / "other")
    refused("merge", a, other, "--out", tmp_path / "c", told="observation.images")


def test_videos_whose_times_would_change_are_encoded_anew(tmp_path: Path, run: Run) -> None:
    a = Recording(codec={"start": 4}).write(tmp_path / "a")
    done = run("subset", a, "--out", tmp_path / "b", "--episodes", "episode_000002")
    assert any("compressed" in line for line in done["lost"])
    once = open_dataset(a).read_frames("episode_000002", "front").astype(int)
    now = open_dataset(tmp_path / "b").read_frames("episode_000000", "front")
    assert np.abs(now - once).mean() < 5


def test_images_that_are_bytes_alone(tmp_path: Path, run: Run) -> None:
    """Older recorders wrote no struct of bytes and path."""
    root = Recording((3, 2), images="png").write(tmp_path / "set")
    for file in sorted(root.glob("data/*/*.parquet")):
        table = pq.read_table(file)
        cells = pa.array([cell["bytes"] for cell in table[FRONT].to_pylist()], pa.binary())
        pq.write_table(table.set_column(table.schema.get_field_index(FRONT), FRONT, cells), file)
    run("subset", root, "--out", tmp_path / "one", "--episodes", "episode_000001")
    source, copy = open_dataset(root), open_dataset(tmp_path / "one")
    for camera in ("front", "wrist"):
        np.testing.assert_array_equal(
            copy.read_frames("episode_000000", camera), source.read_frames("episode_000001", camera)
        )


def test_a_lerobot_copy_keeps_tasks_that_only_the_metadata_name(tmp_path: Path, run: Run) -> None:
    root = Recording((3, 2), images="png", info={"fps": 10.0}).write(tmp_path / "set")
    for file in sorted(root.glob("data/*/*.parquet")):
        pq.write_table(pq.read_table(file).drop_columns(["task_index"]), file)
    run("split", root, "--out", tmp_path / "split", "--valid", "0.5")
    tasks = [one.tasks for one in open_dataset(tmp_path / "split").source.episodes]
    assert tasks == [("push the block",), ("lift the cube",)]
    assert '"fps": 10,' in (tmp_path / "split/meta/info.json").read_text()  # version 3.0 has integers


@pytest.mark.parametrize("beyond", [0, 2**40])
def test_columns_of_another_type_than_in_the_first_set(
    beyond: int, tmp_path: Path, run: Run, refused: Refused
) -> None:
    """What the metadata declare is the same, the files hold something else."""
    roots = []
    for name, type_ in (("a", pa.int32()), ("b", pa.int64())):
        ticks = pa.array(np.arange(3) + beyond * (name == "b"), type_)
        root = Recording((3,), images="png", columns={"ticks": ticks}).write(tmp_path / name)
        features = read_info(root)["features"] | {"ticks": {"dtype": "int64", "shape": [1], "names": None}}
        change_info(root, features=features)
        roots.append(root)
    words = ("merge", *roots, "--out", tmp_path / "c")
    if beyond:
        refused(*words, told="ticks: found int64, which does not fit int32 of the first set")
    else:
        assert f"int64 of {roots[1]} becomes int32: ticks" in run(*words)["lost"]
