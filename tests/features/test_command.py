"""`s2robot features` from the command line."""

import json
import shutil
from pathlib import Path

import pytest

from s2robot.commands import cli
from s2robot.datasets import open_dataset

KEYS = {"frames_encoded", "frames_found", "bytes", "seconds"}


@pytest.fixture
def features(monkeypatch, capsys, tmp_path, demos_path):
    def run(*options: str, data: Path = demos_path) -> tuple[str, str]:
        root = ["--root", str(tmp_path / "store"), "--device", "cpu"]
        words = ["s2robot", "features", str(data), "--sizes", "32,64", *root, *options]
        monkeypatch.setattr("sys.argv", words)
        try:
            cli.main()
        except SystemExit as exit:
            assert exit.code == 2
        captured = capsys.readouterr()
        return captured.out, captured.err

    return run


def test_plan_says_exactly_what_a_build_takes(features, tmp_path, demos_path) -> None:
    plan = json.loads(features("--plan", "--json")[0])
    frames = 2 * sum(open_dataset(demos_path).lengths)  # two cameras
    assert plan.keys() >= KEYS and plan["tier"] == "ram"
    assert plan["frames_encoded"] + plan["frames_found"] == frames
    assert plan["seconds"] > 0

    built = json.loads(features("--json")[0])

    on_disk = sum(file.stat().st_size for file in (tmp_path / "store").glob("*/rows.bin"))
    assert built["bytes"] == plan["bytes"]
    assert on_disk == pytest.approx(plan["bytes"], rel=0.01)
    assert built["frames_encoded"] == plan["frames_encoded"]
    again = json.loads(features("--plan", "--json")[0])
    assert (again["frames_encoded"], again["frames_found"]) == (0, frames)
    assert again["bytes"] == plan["bytes"]


def test_plan_shows_every_way_to_store(features) -> None:
    out, _ = features("--plan", "--cameras", "agentview")
    row = 224 * 2 * 2  # channels x cells of the first scale
    for grid, dtype, size in (
        ("2x2", "float16", 2 * row),
        ("2x2", "float32", 4 * row),
        ("4x4", "float16", 8 * row),
        ("4x4", "float32", 16 * row),
    ):
        assert any(grid in line and dtype in line and f" {size} bytes" in line for line in out.splitlines())
    assert "float16:       1792 bytes" in next(line for line in out.splitlines() if "chosen" in line)
    assert "will live in: ram" in out


def test_a_finer_grid_is_another_store(features) -> None:
    coarse, fine = (json.loads(features("--json", *grid)[0]) for grid in ([], ["--grid", "4,4"]))
    assert fine["bytes"] == 4 * coarse["bytes"]
    assert fine["frames_encoded"] == coarse["frames_encoded"]
    assert fine["folders"] != coarse["folders"]
    assert "--grid is rows and columns" in features("--grid", "4")[1]


def test_views_of_each_frame(features, tmp_path) -> None:
    views = ("--cameras", "agentview", "--views", "2")
    assert "2 views of each" in features(*views, "--plan")[0]
    plan, built = (json.loads(features(*views, *form, "--json")[0]) for form in (["--plan"], []))
    plain = json.loads(features("--cameras", "agentview", "--json")[0])
    assert built["bytes"] == plan["bytes"] == 2 * plain["bytes"]
    assert built["frames_encoded"] == plan["frames_encoded"] > 0
    assert plain["frames_encoded"] == 0  # view 0 is the frame as it is
    verified = json.loads(features(*views, "--verify", "--json")[0])
    assert verified["verified_rows"]["agentview"] == built["frames_encoded"]
    assert json.loads(features(*views, "--check", "3", "--json")[0])["largest_difference"]["agentview"] < 2e-3


def test_build_then_verify_then_check(features) -> None:
    out, _ = features("--camera-sizes", "robot0_eye_in_hand=32")
    assert "frames encoded, " in out.splitlines()[-1]
    out, _ = features("--camera-sizes", "robot0_eye_in_hand=32", "--verify")
    assert "agentview: verified rows" in out and out.splitlines()[-1].startswith("0 frames encoded")
    checked = json.loads(features("--camera-sizes", "robot0_eye_in_hand=32", "--check", "5", "--json")[0])
    assert checked.keys() >= KEYS
    assert all(0 < value < 2e-3 for value in checked["largest_difference"].values())
    _, err = features("--camera-sizes", "robot0_eye_in_hand=32", "--check", "5", "--tolerance", "1e-9")
    assert "features of agentview differ by" in err and err.count("\n") == 1


def test_verify_names_the_damaged_frame(features, tmp_path) -> None:
    features("--cameras", "agentview")
    (rows,) = (tmp_path / "store").glob("*/rows.bin")
    with open(rows, "r+b") as file:
        file.seek(3 * 1792 + 7)
        file.write(b"\xff\xff")
    _, err = features("--cameras", "agentview", "--verify")
    assert "1 of " in err and "have wrong checksums, first demo_0, frame " in err
    assert err.count("\n") == 1


def test_mistakes_are_one_line(features, tmp_path, demos_path) -> None:
    for options, message in (
        (["--verify"], "are not stored with these settings: run `s2robot features"),
        (["--cameras", "agentvew"], "did you mean 'agentview'"),
        (["--camera-sizes", "wrist:3"], "given as CAMERA=224,448, not 'wrist:3'"),
        (["--camera-sizes", "rist=32"], "unknown camera"),
        (["--encoder", "lite1"], "did you mean 'lite"),
        (["--dtype", "int8"], "float16 or float32, not as 'int8'"),
        (["--sizes", "32,x"], "argument --sizes"),
        (["--check", "0"], "are not stored"),
        (["--views", "0"], "a frame has 1 view or more, not 0"),
    ):
        _, err = features(*options)
        assert message in err and err.count("\n") == 1


def test_a_copy_of_the_file_encodes_nothing(features, tmp_path, demos_path) -> None:
    features("--json")
    copy = shutil.copy(demos_path, tmp_path / "copy.hdf5")
    assert json.loads(features("--json", data=Path(copy))[0])["frames_encoded"] == 0
