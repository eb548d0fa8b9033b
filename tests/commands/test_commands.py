"""train.py, eval.py and s2robot from end to end, as processes, on a policy of a second's training."""

import json
import os
import signal
import tempfile
from pathlib import Path

import imageio.v3 as iio
import pytest
from torch import Tensor

from s2robot.commands import demo
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import verify
from s2robot.runs import checkpoint
from s2robot.runs import folder as run_folder
from s2robot.training.trainer import Trainer
from tests.commands.command_line import run_process, status_here
from tests.training.tiny_training import options, run_training


@pytest.fixture(scope="module")
def evaluated(demos_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "evaluated"
    run_training(demos_path, run_dir)
    last = run_dir / "checkpoints" / "last"
    words = ("eval.py", f"checkpoint={last}", "episodes=2", "video=1", "workers=2", "backend=torch")
    done = run_process(*words, cwd=run_dir)
    assert done.returncode == 0, done.stderr
    assert "s2robot/PickCube-v0: " in done.stdout
    assert " of 2 succeeded" in done.stdout
    return run_dir


def test_evaluation_folder(evaluated: Path) -> None:
    folder = evaluated / "eval" / "default"
    lines = [json.loads(line) for line in (folder / "episodes.jsonl").read_text().splitlines()]
    assert sorted(line["seed"] for line in lines) == [100_000, 100_001]
    assert all(set(line) == {"seed", "success", "steps", "return", "wall_s", "video"} for line in lines)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["episodes"] == 2
    assert summary["successes"] == sum(line["success"] for line in lines)
    (filmed,) = [line for line in lines if line["video"] is not None]
    assert len(iio.imread(folder / filmed["video"])) >= filmed["steps"]
    plan = json.loads((folder / "seeds.json").read_text())
    assert plan["identity"]["weights"] == checkpoint.load(evaluated / "checkpoints" / "last").sha256
    assert "evaluate" in run_folder.read_stages(evaluated)


def test_acting_options_are_kept_with_the_evaluation(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = f"checkpoint={evaluated}/checkpoints/last"
    for name, option in (("often", "policy.action_steps=8"), ("smooth", "temporal_ensemble=0.01")):
        words = ("eval.py", last, "episodes=1", f"name={name}", option, "workers=1", "backend=torch")
        assert status_here(monkeypatch, *words) == 0
        identity = json.loads((evaluated / "eval" / name / "seeds.json").read_text())["identity"]
        steps, m = {"often": (8, None), "smooth": (1, 0.01)}[name]
        assert (identity["action_steps"], identity["temporal_ensemble"]) == (steps, m)


def test_several_decisions_at_once(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = f"checkpoint={evaluated}/checkpoints/last"
    words = ("eval.py", last, "episodes=3", "name=rows", "batch=2", "backend=torch")
    assert status_here(monkeypatch, *words) == 0
    assert json.loads((evaluated / "eval" / "rows" / "seeds.json").read_text())["batch"] == 2
    assert " of 3 succeeded" in capsys.readouterr().out


def test_report_shows_the_evaluation(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "s2robot", "report", str(evaluated)) == 0
    assert str(evaluated / "report.html") in capsys.readouterr().out
    page = (evaluated / "report.html").read_text()
    assert "100000" in page
    assert "<video" in page


def test_summary_line_of_the_demo(evaluated: Path) -> None:
    summary = json.loads((evaluated / "eval" / "default" / "summary.json").read_text())
    line = demo.summary_line(evaluated, 61.4)
    assert "\n" not in line
    assert f"success {summary['successes']}/2 = {summary['success_rate']:.1%}" in line
    low, high = summary["ci95"]
    assert f"95% Wilson interval {low:.1%} to {high:.1%}" in line
    for stage, measured in run_folder.read_stages(evaluated).items():
        assert f"{stage} {measured['seconds']:.0f} s" in line
    assert "all 61 s" in line
    step = checkpoint.load(evaluated / "checkpoints" / "last").step
    assert f"with the checkpoint of step {step};" in line
    assert str(evaluated / "eval" / "default" / "videos") in line
    assert str(evaluated / "report.html") in line


def test_demo_runs_the_public_commands() -> None:
    commands = demo.commands(Path("runs/demo"), 120, 100, [])
    assert [" ".join(command) for command in commands.values()] == [
        "s2robot collect --env s2robot/PickCube-v0 --episodes 120 --seed 0 --out runs/demo/demos.hdf5",
        "s2robot train experiment=demo policy.action_steps=2",
        "s2robot eval checkpoint=runs/demo/checkpoints/best episodes=100 video=9",
        "s2robot report runs/demo",
    ]


def test_a_second_demo_replaces_the_first(tmp_path: Path) -> None:
    words = demo.commands(tmp_path, 8, 4, ["policy=act"])["train"]
    assert "overwrite=true" not in words
    (tmp_path / "checkpoints" / "step_00000001").mkdir(parents=True)
    (tmp_path / "checkpoints" / "step_00000001" / "checkpoint.json").touch()
    words = demo.commands(tmp_path, 8, 4, ["policy=act"])["train"]
    assert {"overwrite=true", "policy=act"} <= set(words)


def mtimes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_sweep_trains_each_policy_and_leaves_no_folder_of_hydra(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    words = [word for word in options(demos_path, tmp_path, "bc") if not word.startswith("policy")]
    sweep = ["-m", "policy=bc,diffusion_unet", "run_dir=runs/${policy.name}", "optim.steps=2"]

    assert status_here(monkeypatch, "train.py", *words, *sweep) == 0

    assert {path.name for path in tmp_path.iterdir()} == {"runs", "scratch"}
    assert list(scratch.iterdir()) == []
    for name in ("bc", "diffusion_unet"):
        loaded = checkpoint.load(tmp_path / "runs" / name / "checkpoints" / "last")
        assert (loaded.policy.config.name, loaded.step) == (name, 2)
        assert {path.name for path in (tmp_path / "runs" / name).iterdir()} == {
            *("checkpoints", "config.yaml", "metrics.jsonl", "run.json", "tensorboard", "timings.json"),
            *("validation.json", "sizes.json"),
        }

    said = capsys.readouterr().out
    assert said.count("trained to step 2") == 2
    before = mtimes(tmp_path / "runs")
    assert status_here(monkeypatch, "train.py", *words, *sweep) == 0
    said = capsys.readouterr().out
    for name in ("bc", "diffusion_unet"):
        assert f"runs/{name}: finished with these settings, skipped" in said
    assert mtimes(tmp_path / "runs") == before
    assert status_here(monkeypatch, "train.py", *words, *sweep, "seed=1") == 2  # other settings
    assert mtimes(tmp_path / "runs") == before


def test_sigterm_ends_a_sweep(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = Trainer.update

    def terminated_update(trainer: Trainer, loss: Tensor) -> tuple[Tensor, Tensor]:
        os.kill(os.getpid(), signal.SIGTERM)
        return update(trainer, loss)

    monkeypatch.setattr(Trainer, "update", terminated_update)
    monkeypatch.chdir(tmp_path)
    words = options(demos_path, tmp_path, "bc", "run_dir=a,b")
    assert status_here(monkeypatch, "train.py", "-m", *words) == 143
    assert "stopped by SIGTERM, saved at step 1" in capsys.readouterr().out
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_new_keys_of_free_dictionaries_need_no_plus(demos_path: Path, tmp_path: Path) -> None:
    words = ("policy.head_args.keypoints=3", "encoder.camera_sizes.agentview=[48]", "optim.steps=0")
    grids = ("encoder.output_grid=[4,2]", "encoder.camera_grids.agentview=[3,3]", "encoder.merge=add")
    run_training(demos_path, tmp_path, "bc", *words, *grids)
    loaded = checkpoint.load(tmp_path / "checkpoints" / "last")
    assert loaded.policy.config.head_args == {"keypoints": 3}
    assert loaded.encoders["camera_sizes"] == {"agentview": [48]}
    eyes = CameraEncoders.from_dict(loaded.encoders, "cpu", "torch")
    assert verify(eyes, loaded.samples).keys() == {"agentview", "robot0_eye_in_hand"}
    assert [camera.features[1:] for camera in loaded.policy.spec.cameras.values()] == [(3, 3), (4, 2)]


def test_doctor_finds_nothing_missing(tmp_path: Path) -> None:
    done = run_process("s2robot", "doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("python", "torch", "robomimic", "rendering", "video"):
        assert what in done.stdout
    assert "MISSING" not in done.stdout


def test_help_names_the_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_here(monkeypatch, "train.py", "--help") == 0
    said = capsys.readouterr().out
    assert "usage: s2robot train" in said
    assert "optim.batch_size=64 " in said
