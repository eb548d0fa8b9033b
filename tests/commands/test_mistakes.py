"""A user's mistake: one line that says what, where, and what would be right; status 2; nothing left."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from envs import opengl
from tests.commands.command_line import assert_one_line, run_process, status_here
from tests.training.tiny_training import options

ON_THE_COMMAND_LINE = {
    "unknown option": (["polcy=bc"], ["unknown option 'polcy'", "did you mean 'policy'?"]),
    "unknown nested option": (["optim.step=3"], ["did you mean 'optim.steps'?"]),
    "option of another policy": (
        ["policy=diffusion_unet", "policy.hidden=[3]"],
        ["unknown option 'policy.hidden'"],
    ),
    "added option": (["+colour=red"], ["unknown option 'colour'"]),
    "unknown policy": (["policy=difusion_unet"], ["did you mean 'diffusion_unet'?", "bc"]),
    "unknown experiment": (["experiment=dem"], ["did you mean 'demo'?"]),
    "word for a number": (["optim.steps=many"], ["optim.steps=many must be a whole number"]),
    "fraction of a step": (["optim.steps=1.5"], ["optim.steps=1.5 must be a whole number"]),
    "number for a list": (["encoder.sizes=3"], ["encoder.sizes=3 must be a list, such as [a,b]"]),
    "word in a list": (["policy.hidden=[a]"], ["policy.hidden[0]=a must be a whole number"]),
    "null for a number": (["optim.steps=null"], ["optim.steps=null must be a whole number"]),
    "number for a group": (["optim=7"], ["optim=7 must be set by its options, such as optim.steps=..."]),
    "list for names": (["env.kwargs=[3]"], ["env.kwargs must be names with values, such as {a: 1}"]),
    "no value": (["optim.steps"], ["'optim.steps' is no option", "name=value"]),
    "unclosed list": (["encoder.sizes=[64"], ["encoder.sizes=[64"]),
    "unknown flag": (["--foo"], ["unrecognized arguments: --foo"]),
    "Hydra's configuration path": (["--config-name", "mine"], ["--config-name is not taken", "--config-dir"]),
    "several values": (["seed=1,2"], ["seed=1,2", "add -m"]),
    "unknown reference": (["run_dir=${nope}"], ["run_dir", "'nope'"]),
    "unknown option of Hydra": (["hydra.foo=1"], ["hydra.foo"]),
    "negative seed": (["seed=-1"], ["seed=-1 must be at least 0"]),
    "seed beyond PyTorch's": (["seed=99999999999999999999"], ["must be at most 18446744073709551615"]),
    "empty run folder": (["run_dir="], ["run_dir is empty", "run_dir=runs/my"]),
    "climbing": (["optim.gradient_clip=-1"], ["optim.gradient_clip=-1.0 must be above 0"]),
    "average beyond all": (["optim.ema_max_decay=2"], ["optim.ema_max_decay=2.0 must be between 0 and 1"]),
    "network of nothing": (["policy.hidden=[0]"], ["policy.hidden=[0]", "each at least 1"]),
    "no keypoints": (["policy.head_args.keypoints=0"], ["policy.head_args.keypoints=0", "from 1 on"]),
    "unknown tier": (["features.tier=ssd"], ["unknown tier of features 'ssd'", "device", "disk"]),
    "weights of other datasets": (["data.weights=[1,2]"], ["data.weights has 2 numbers for 1 entries"]),
    "never logging": (["optim.log_every=0"], ["optim.log_every=0 must be at least 1"]),
    "unknown precision": (["optim.precision=bf61"], ["'bf61'", "did you mean 'bf16'?"]),
    "rollouts on eval.py's seeds": (
        ["rollout.every=5", "rollout.seed=99999"],
        ["rollout.seed=99999", "100000 and on are those of `s2robot eval`"],
    ),
    "rollout option": (["rollout.evry=5"], ["did you mean 'rollout.every'?"]),
    "name of another policy": (["policy.name=diffusion_unet"], ["say policy=diffusion_unet"]),
    "no such GPU": (["device=cuda:99"], ["'cuda:99'", "device=auto"]),
    "unknown device": (["device=gpu"], ["unknown device 'gpu'", "auto, cpu, cuda"]),
    "unknown camera": (["data.cameras=[sideview]"], ["'sideview'", "did you mean 'agentview'?"]),
    "unknown camera with sizes": (["encoder.camera_sizes.agent=[64]"], ["did you mean 'agentview'?"]),
    "unknown observation": (["data.proprio=[eef_pos]"], ["'eef_pos'", "did you mean 'robot0_eef_pos'?"]),
    "privileged state": (["data.proprio=[object]"], ["object is privileged"]),
    "unknown split": (["data.train=trian"], ["did you mean 'train'?"]),
    "size that cannot be cut": (["encoder.sizes=[70]"], ["70", "64, 80"]),
    "precision of the encoder": (["encoder.precision=float61"], ["'float61'", "did you mean 'float16'?"]),
    "tile that cannot be cut": (["encoder.tile=70"], ["encoder.tile=70", "64, 80"]),
    "unknown encoder": (["encoder=lite9"], ["unknown encoder 'lite9'", "lite0"]),
    "unknown head": (["policy.head=spatial_sofmax"], ["did you mean 'spatial_softmax'?"]),
    "unknown option of a head": (["policy.head_args.keypoint=3"], ["did you mean 'keypoints'?"]),
    "how 0.1 chose a network": (
        ["policy.network=gmm"],
        ["policy.network is no option any more", "policy=bc_gmm"],
    ),
    "chunk longer than horizon": (["policy.action_steps=9"], ["policy.action_steps=9", "policy.horizon=8"]),
    "missing data": (["data.path=nowhere.hdf5"], ["no dataset at nowhere.hdf5", "check data.path"]),
    "data is no HDF5": (["data.path=" + __file__], ["test_mistakes.py is not an HDF5 file"]),
    "run folder is a file": (["run_dir=" + __file__], ["test_mistakes.py is a file"]),
    "sweep with a wrong choice": (["-m", "policy=bc,unet", "run_dir=a,b"], ["unknown policy 'unet'"]),
    "sweep with a wrong option": (["-m", "run_dir=a,b", "optim.step=3"], ["did you mean 'optim.steps'?"]),
    "sweep into one folder": (["-m", "seed=1,2"], ["jobs of this sweep", "run_dir="]),
}


@pytest.mark.parametrize("case", ON_THE_COMMAND_LINE)
def test_train_refuses(
    case: str,
    demos_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, told = ON_THE_COMMAND_LINE[case]
    monkeypatch.chdir(tmp_path)
    status = status_here(monkeypatch, "train.py", *options(demos_path, tmp_path / "run"), *words)
    assert_one_line(capfd.readouterr().err, *told)
    assert status == 2
    assert list(tmp_path.iterdir()) == []


def test_missing_options_are_all_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "train.py") == 2
    assert_one_line(capfd.readouterr().err, "data.path=...", "run_dir=...")


def narrow_actions(file: h5py.File) -> None:
    for demo in file["data"].values():
        actions = demo["actions"][:, :6]
        del demo["actions"]
        demo["actions"] = actions


def oblong_frames(file: h5py.File) -> None:
    for demo in file["data"].values():
        for camera in ("agentview_image", "robot0_eye_in_hand_image"):
            frames = demo["obs"][camera][:, :48]
            del demo["obs"][camera]
            demo["obs"][camera] = frames


def other_image_size_than_said(file: h5py.File) -> None:
    arguments = json.loads(file["data"].attrs["env_args"])
    arguments["env_kwargs"]["image_size"] = [96, 96]
    file["data"].attrs["env_args"] = json.dumps(arguments)


def nothing_to_train_on(file: h5py.File) -> None:
    del file["mask/train"]
    file["mask/train"] = np.array([], dtype="S8")


def no_demonstrations(file: h5py.File) -> None:
    del file["data"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (narrow_actions, ["takes actions of shape (7,)", "have 6"]),
        (oblong_frames, ["agentview_image of shape (64, 64, 3)", "needs (48, 64, 3)"]),
        (other_image_size_than_said, ["agentview_image of shape (96, 96, 3)", "needs (64, 64, 3)"]),
        (nothing_to_train_on, ["no demonstrations under data.train=train"]),
        (no_demonstrations, ["holds no demonstrations"]),
    ],
)
def test_train_refuses_datasets(
    damage: Callable[[h5py.File], None],
    told: list[str],
    demos_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    damaged = tmp_path / "damaged.hdf5"
    damaged.write_bytes(demos_path.read_bytes())
    with h5py.File(damaged, "r+") as file:
        damage(file)
    status = status_here(monkeypatch, "train.py", *options(damaged, tmp_path / "run"))
    assert_one_line(capfd.readouterr().err, *told)
    assert status == 2
    assert list(tmp_path.iterdir()) == [damaged]


def test_train_refuses_a_truncated_file(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.hdf5"
    damaged.write_bytes(demos_path.read_bytes()[:-1000])
    assert status_here(monkeypatch, "train.py", *options(damaged, tmp_path / "run")) == 2
    assert_one_line(capfd.readouterr().err, str(damaged), "truncated")
    assert list(tmp_path.iterdir()) == [damaged]


COLLECT = ["collect", "--env", "s2robot/PickCube-v0", "--out", "x"]
EVALUATION = {
    "no checkpoint": (["checkpoint=nowhere"], ["no checkpoint at nowhere", "RUN/checkpoints/last"]),
    "another environment": (["env=pick_small"], ["s2robot/PickSmall-v0", "robot0_eye_in_hand"]),
    "another image size": (["env.kwargs.image_size=32"], ["(32, 32, 3)", "needs (64, 64, 3)"]),
    "unknown argument": (["env.kwargs.colour=red"], ["colour"]),
    "unknown choice": (["env=pick_cub"], ["did you mean 'pick_cube'?"]),
    "unknown environment": (["env.id=s2robot/PickCub-v0"], ["did you mean 's2robot/PickCube-v0'?"]),
    "environment of a package": (
        ["env.id=mine/Push-v0"],
        ["unknown environment", "module:mine/Push"],
    ),
    "seeds of the demonstrations": (["seed=5000000"], ["seeds were trained on", "start above 500000"]),
    "no episodes": (["episodes=0"], ["episodes=0 must be at least 1"]),
    "no workers": (["workers=0"], ["workers=0 must be at least 1"]),
    "no rows": (["batch=0"], ["batch=0 must be at least 1"]),
    "folder elsewhere": (["name=../other"], ["name='../other'"]),
    "no name": (["name="], ["name=''"]),
    "unknown backend": (["backend=tensorflow"], ["unknown backend 'tensorflow'"]),
    "option of training": (["policy.horizon=4"], ["policy.horizon cannot be changed now", "bc"]),
    "steps beyond the chunk": (["policy.action_steps=9"], ["action_steps=9", "horizon=8"]),
    "no steps of the chunk": (["policy.action_steps=0"], ["action_steps=0"]),
    "how 0.1 set the steps": (
        ["action_steps=2"],
        ["action_steps is no option any more", "policy.action_steps=N"],
    ),
    "ensemble of several steps": (
        ["policy.action_steps=2", "temporal_ensemble=0.01"],
        ["policy.action_steps=2 must be 1"],
    ),
    "ensemble without a number": (["temporal_ensemble=nan"], ["temporal_ensemble=nan", "0.01"]),
    "unknown option": (["episode=3"], ["did you mean 'episodes'?"]),
    "sweep into one folder": (["-m", "seed=1,2"], ["jobs of this sweep", "name="]),
}


@pytest.mark.parametrize("case", EVALUATION)
def test_eval_refuses(
    case: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, told = EVALUATION[case]
    monkeypatch.chdir(tmp_path)
    before = set(trained.rglob("*"))
    status = status_here(monkeypatch, "eval.py", f"checkpoint={trained}/checkpoints/last", *words)
    assert_one_line(capfd.readouterr().err, *told)
    assert status == 2
    assert set(trained.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_a_slip_in_an_own_name_is_answered_with_the_nearest_alone(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "eval.py", f"checkpoint={trained}", "env.id=s2robot/PickCub-v0") == 2
    said = capfd.readouterr()
    assert "module:" not in said.err
    assert "validation.json" not in said.err
    assert said.out == f"evaluating {trained}/checkpoints/last\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["colect"], ["unknown command 'colect'", "did you mean 'collect'?", "doctor", "report"]),
        ([], ["command"]),
        (["collect"], ["--env", "--out", "--help"]),
        (["collect", "--env", "s2robot/PickCub-v0", "--out", "x"], ["did you mean 's2robot/PickCube-v0'?"]),
        (["collect", "--env", "s2robot/PickCube-v0", "--out", "x", "--seed", "a"], ["--seed", "'a'"]),
        ([*COLLECT, "--env-kwargs", "cube_size"], ["--env-kwargs", "'cube_size' is not NAME=VALUE"]),
        ([*COLLECT, "--env-kwargs", "cube_size=1"], ["cube_size is 1; it must be 0.01 to 0.07 m"]),
        ([*COLLECT, "--env-kwargs", "cube=1"], ["s2robot/PickCube-v0", "'cube'"]),
        (["report", "nowhere"], ["nowhere is no folder", "`s2robot report` takes"]),
    ],
)
def test_s2robot_refuses(
    words: list[str],
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_here(monkeypatch, "s2robot", *words) == 2
    assert_one_line(capfd.readouterr().err, *told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["collect", "eval", "doctor"])
def test_missing_opengl_names_the_packages(
    command: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = {
        "collect": ["s2robot", "collect", "--env", "s2robot/PickCube-v0", "--out", f"{tmp_path}/demos.hdf5"],
        "eval": ["eval.py", f"checkpoint={trained}/checkpoints/last"],
        "doctor": ["s2robot", "doctor"],
    }[command]
    monkeypatch.setenv("MUJOCO_GL", opengl.DISABLED)  # what `envs` sets where neither EGL nor OSMesa starts
    assert status_here(monkeypatch, *words) == 2
    said = capfd.readouterr()
    assert "apt-get install libegl1" in (said.out if command == "doctor" else said.err)
    assert_one_line(said.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train.py", "policy=bcc"], "did you mean 'bc'?"),
        (["s2robot", "reprot", "x"], "did you mean 'report'?"),
    ],
)
def test_processes_say_nothing_else(words: list[str], told: str, tmp_path: Path) -> None:
    done = run_process(*words, cwd=tmp_path)
    assert_one_line(done.stderr, told)
    assert done.stdout == ""
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
