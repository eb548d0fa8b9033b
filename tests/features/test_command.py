"""`s2robot features` from the command line."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from s2robot.commands import cli
from s2robot.commands.cli.entry import options_of
from s2robot.datasets import open_dataset
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features.camera_store import CameraStore
from tests.features.frame_cases import row_bytes_in

Run = Callable[..., tuple[str, str]]  # options -> what stdout and stderr say
KEYS = {"frames_encoded", "frames_found", "bytes", "seconds"}


@pytest.fixture
def features(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, demos_path: Path
) -> Run:
    def run(*options: str, data: Path = demos_path) -> tuple[str, str]:
        root = ["--root", str(tmp_path / "store"), "--device", "cpu"]
        own = any(option.startswith("encoder.sizes=") for option in options)
        sizes = [] if own else ["--sizes", "32,64"]
        words = ["s2robot", "features", str(data), *sizes, *root, *options]
        monkeypatch.setattr("sys.argv", words)
        try:
            cli.main()
        except SystemExit as exit:
            assert exit.code == 2
        captured = capsys.readouterr()
        return captured.out, captured.err

    return run


def test_plan_says_exactly_what_a_build_takes(features: Run, tmp_path: Path, demos_path: Path) -> None:
    plan = json.loads(features("--plan", "--json")[0])
    assert not list(tmp_path.glob("store/*"))  # it only looks
    frames = 2 * sum(open_dataset(demos_path).lengths)  # two cameras
    assert plan.keys() >= KEYS and plan["tier"] == "ram"
    assert plan["frames_encoded"] + plan["frames_found"] == frames
    assert plan["seconds"] > 0

    built = json.loads(features("--json")[0])

    on_disk = sum(row_bytes_in(folder) for folder in (tmp_path / "store").iterdir())
    assert built["bytes"] == plan["bytes"]
    assert on_disk == pytest.approx(plan["bytes"], rel=0.01)
    assert built["frames_encoded"] == plan["frames_encoded"]
    again = json.loads(features("--plan", "--json")[0])
    assert (again["frames_encoded"], again["frames_found"]) == (0, frames)
    assert again["bytes"] == plan["bytes"]


def test_plan_shows_every_way_to_store(features: Run) -> None:
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


def test_a_finer_grid_is_another_store(features: Run) -> None:
    coarse, fine = (json.loads(features("--json", *grid)[0]) for grid in ([], ["--grid", "4,4"]))
    assert fine["bytes"] == 4 * coarse["bytes"]
    assert fine["frames_encoded"] == coarse["frames_encoded"]
    assert fine["folders"] != coarse["folders"]
    assert "--grid is rows and columns" in features("--grid", "4")[1]


def test_views_of_each_frame(features: Run, tmp_path: Path) -> None:
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


def test_build_then_verify_then_check(features: Run) -> None:
    out, _ = features("--camera-sizes", "robot0_eye_in_hand=32")
    assert "frames encoded, " in out.splitlines()[-1]
    out, _ = features("--camera-sizes", "robot0_eye_in_hand=32", "--verify")
    assert "agentview: verified rows" in out and out.splitlines()[-1].startswith("0 frames encoded")
    checked = json.loads(features("--camera-sizes", "robot0_eye_in_hand=32", "--check", "5", "--json")[0])
    assert checked.keys() >= KEYS
    assert all(0 < value < 2e-3 for value in checked["largest_difference"].values())
    _, err = features("--camera-sizes", "robot0_eye_in_hand=32", "--check", "5", "--tolerance", "1e-9")
    assert "features of agentview differ by" in err and err.count("\n") == 1


def test_verify_names_the_damaged_frame(features: Run, tmp_path: Path) -> None:
    features("--cameras", "agentview")
    (rows,) = (tmp_path / "store").glob("*/segments/*/rows.bin")
    with open(rows, "r+b") as file:
        file.seek(3 * 1792 + 7)
        file.write(b"\xff\xff")
    _, err = features("--cameras", "agentview", "--verify")
    assert "1 of " in err and "have wrong checksums, first demo_0, frame " in err
    assert err.count("\n") == 1


def test_mistakes_are_one_line(features: Run, tmp_path: Path, demos_path: Path) -> None:
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
        (["encoder.antialas=false"], "unknown option 'encoder.antialas'; did you mean 'encoder.antialias'"),
        (["encoder=lite9"], "unknown encoder 'lite9'"),
        (["encoder.antialias=perhaps"], "encoder.antialias"),
        (["encoder.tile=230"], "encoder.tile=230 is no multiple of the 16 pixels"),
        (["features.views=many"], "features.views"),
        (["optim.steps=3"], "takes options of encoder, features, data, experiment, plugins alone"),
        (["--dtype", "float32", "features.dtype=float32"], "features.dtype is given twice"),
        (["--camera-sizes", "a=32", "encoder.camera_sizes.b=[32]"], "encoder.camera_sizes is given twice"),
        (["data.path=other.hdf5"], "data.path is given twice"),
        (["data.train=trian"], "did you mean 'train'?"),
    ):
        _, err = features(*options)
        assert message in err and err.count("\n") == 1


def test_words_and_short_forms_are_the_same_options(features: Run) -> None:
    flags = ["--grid", "4,4", "--dtype", "float32", "--camera-sizes", "agentview=32", "--views", "2"]
    words = ["encoder.output_grid=[4,4]", "features.dtype=float32", "encoder.camera_sizes.agentview=[32]"]
    built = json.loads(features(*flags, "--json")[0])
    found = json.loads(features(*words, "encoder.sizes=[32,64]", "features.views=2", "--json")[0])
    assert found["folders"] == built["folders"] and found["frames_encoded"] == 0 < built["frames_encoded"]
    other = json.loads(features(*flags, "encoder.antialias=false", "--json")[0])
    assert other["folders"] != built["folders"] and other["frames_encoded"] == built["frames_encoded"]


def test_what_training_uses_is_what_is_built_and_checked(
    features: Run, demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words, planned, built and checked here, leave nothing to encode for `train`."""
    words = ["encoder.merge=add", "encoder.tile=32", "encoder.sizes=[32,64]", "data.cameras=[agentview]"]
    words += ["features.views=2", "data.valid=null", "encoder.backend=torch"]
    plan = json.loads(features(*words, "--plan", "--json")[0])
    built = json.loads(features(*words, "--json")[0])
    dataset = open_dataset(demos_path)
    used = sum(dataset.lengths[i] for i in dataset.splits("train", None)[0])
    assert plan["frames_encoded"] == built["frames_encoded"]
    assert built["frames_encoded"] + built["frames_found"] == 2 * used < 2 * sum(dataset.lengths)
    assert json.loads(features(*words, "--check", "2", "--json")[0])["largest_difference"].keys() == {
        "agentview"
    }
    options = options_of("train", [f"data.path={demos_path}", "run_dir=r", *words])
    encoders = CameraEncoders.from_config(options.encoder, "cpu")
    stored = replace(options.features, root=str(tmp_path / "store"))
    episodes = dataset.splits(options.data.train, options.data.valid)[0]
    assert not CameraStore(dataset, "agentview", encoders, stored, episodes).missing


def test_a_copy_of_the_file_encodes_nothing(features: Run, tmp_path: Path, demos_path: Path) -> None:
    features("--json")
    copy = shutil.copy(demos_path, tmp_path / "copy.hdf5")
    assert json.loads(features("--json", data=Path(copy))[0])["frames_encoded"] == 0


def test_a_process_on_each_device_builds_a_share(
    features: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names of the CPU stand for two GPUs; what both have stored is one store, in which all is found."""
    out, err = features("--devices", "cpu,cpu:0")
    said = [line.partition(": features of agentview") for line in err.splitlines()]
    assert {device for device, told, _ in said if told} == {"cpu", "cpu:0"}  # how far each is
    *_, first, second, last = [line for line in out.splitlines() if not line.startswith("features of")]
    assert sorted(line.rpartition(": ")[0] for line in (first, second)) == ["cpu", "cpu:0"]  # in any order
    frames = [int(line.rpartition(": ")[2].split()[0]) for line in (first, second)]
    assert min(frames) > 0 and last.startswith(f"{sum(frames)} frames encoded")
    assert json.loads(features("--json")[0])["frames_encoded"] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--devices", "cpu,cpu"], "name each device once"),
        (["--devices", "cpu", "--plan"], "takes no --plan"),
        (["--devices", "all"], "finds no GPU"),
        (["--devices", "cpu,tpu"], "unknown device 'tpu'"),
        (["--devices", "cpu", "--sizes", "33"], "the build on cpu failed: "),
    ],
)
def test_devices_that_cannot_build_are_one_line(
    words: list[str], told: str, features: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    out, err = features(*words)
    assert told in err and err.count("\n") == 1 and not out
