"""The example of a dataset format: commands find it, read it, and refuse what is damaged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"


def python(*words: str, status: int = 0) -> tuple[str, str]:
    path = os.pathsep.join(map(str, (PLUGIN, PLUGIN.parents[1])))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    program = [sys.executable, *words]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def s2robot(*words: str, status: int = 0) -> tuple[str, str]:
    return python("-m", "s2robot", *words, "--plugins", "s2robot_example", status=status)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "demos"
    folder.mkdir()
    for i, steps in {2: 5, 10: 7}.items():
        front = rng.integers(0, 255, (steps, 40, 48, 3)).astype(np.uint8)
        np.savez_compressed(
            folder / f"episode_{i}.npz",
            actions=rng.uniform(-1, 1, (steps, 3)),
            qpos=rng.normal(size=(steps, 4)),
            front=front,
            note=np.array("by hand"),
        )
    return folder


def test_it_is_found_and_read(folder: Path) -> None:
    found = json.loads(s2robot("info", str(folder), "--json")[0])
    assert (found["format"], found["names"], found["lengths"]) == ("npz", ["episode_2", "episode_10"], [5, 7])
    assert (found["cameras"], found["proprio"], found["action_dim"]) == ({"front": [40, 48]}, ["qpos"], 3)
    assert list(found["other"]) == ["note"]


def test_it_is_converted_frame_by_frame(folder: Path) -> None:
    out = folder.parent / "demos.hdf5"
    s2robot("convert", str(folder), str(out))
    import h5py

    with h5py.File(out) as file, np.load(folder / "episode_10.npz") as recorded:
        name = max(file["data"], key=lambda one: len(file[f"data/{one}/actions"]))
        np.testing.assert_array_equal(file[f"data/{name}/obs/front_image"], recorded["front"])
        np.testing.assert_array_equal(file[f"data/{name}/actions"], recorded["actions"])


def test_a_damaged_file_is_refused_in_one_line(folder: Path) -> None:
    damaged = folder / "episode_2.npz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    said = s2robot("validate", str(folder), status=2)[1]
    assert said.count("\n") == 1 and f"{damaged} is no archive of NumPy arrays" in said


def test_another_process_opens_it_with_the_plugin(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "opener"
    opening = f"""
import pathlib, pickle
from s2robot import plugins
from s2robot.datasets import open_dataset
plugins.load(["s2robot_example"])
pathlib.Path({str(kept)!r}).write_bytes(pickle.dumps(open_dataset({str(folder)!r}).opener()))
"""
    python("-c", opening)
    reopening = (
        f"import pathlib, pickle; print(pickle.loads(pathlib.Path({str(kept)!r}).read_bytes())().episodes)"
    )
    assert "episode_10" in python("-c", reopening)[0]
