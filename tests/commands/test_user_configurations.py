"""Configurations and plugins of a user: `--config-dir` and `plugins=`."""

from pathlib import Path

import pytest

from tests.commands.command_line import assert_one_line, run_process, status_here

POLICY = """
from dataclasses import dataclass
from s2robot.config import option
from s2robot.encoders import ENCODERS
from s2robot.policies import POLICIES, PolicyConfig, PolicyEntry
from s2robot.registry import Lazy

@dataclass
class MineConfig(PolicyConfig):
    "Options of my policy."
    name: str = option("{name}", "of the policy")
    strength: float = option(2.0, "how strongly it is meant")

POLICIES["{name}"] = PolicyEntry(MineConfig, Lazy("nowhere:Mine"))
"""
NEEDED = ["data.path=d.hdf5", "run_dir=runs/x"]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of configurations with an experiment and a policy's settings."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "policy").mkdir()
    (tmp_path / "experiment" / "short.yaml").write_text("# @package _global_\noptim: {steps: 7}\n")
    (tmp_path / "policy" / "wide.yaml").write_text("defaults: [bc]\nhidden: [9, 9]\n")
    return tmp_path


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PYTHONPATH."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    return folder


def job(cwd: Path, *words: str) -> str:
    """The composed configuration of a training."""
    done = run_process("s2robot", "train", "--cfg", "job", *NEEDED, *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_config_dir_adds_choices(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--cfg", "job", *NEEDED, "--config-dir", str(own), "experiment=short", "policy=wide"]
    assert status_here(monkeypatch, "s2robot", "train", *words) == 0
    said = capfd.readouterr().out
    assert "steps: 7\n" in said
    assert "  name: bc\n" in said and "hidden:\n  - 9\n  - 9\n" in said


def test_choices_of_config_dir_are_shown_and_named(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "s2robot", "train", "--config-dir", str(own), "--help") == 0
    said = capfd.readouterr().out
    assert "short" in said and "wide" in said
    words = ["--config-dir", str(own), *NEEDED, "experiment=shrt"]
    assert status_here(monkeypatch, "s2robot", "train", *words) == 2
    assert_one_line(capfd.readouterr().err, "unknown experiment 'shrt'; did you mean 'short'?")


def test_a_file_in_config_dir_stands_for_a_registered_choice(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (own / "policy" / "flow.yaml").write_text("defaults: [_flow]\nhorizon: 5\naction_steps: 3\n")
    words = ["--cfg", "job", *NEEDED, "--config-dir", str(own), "policy=flow"]
    assert status_here(monkeypatch, "s2robot", "train", *words) == 0
    said = capfd.readouterr()
    assert "horizon: 5\n" in said.out and said.err == ""


@pytest.mark.parametrize("command", ["train", "eval"])
def test_an_unknown_folder_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "s2robot", command, "--config-dir", str(tmp_path / "confs")) == 2
    assert_one_line(capfd.readouterr().err, "--config-dir", f"there is no folder {tmp_path / 'confs'}")


MISTAKES = {
    "key": ("experiment", "# @package _global_\noptim: {stepss: 2}\n", ["did you mean 'optim.steps'?"]),
    "value": (
        "experiment",
        "# @package _global_\noptim: {steps: two}\n",
        ["optim.steps=two must be a whole"],
    ),
    "no package": ("experiment", "optim: {steps: 2}\n", ["the first line `# @package _global_` is missing"]),
    "unclosed": ("experiment", "# @package _global_\noptim: {steps: 2\n", ["line 3, column 1: expected ','"]),
    "no mapping": ("experiment", "[1, 2]", ["cannot be read as a configuration"]),
    "encoding": ("experiment", "\udcff", ["cannot be read as a configuration", "'utf-8' codec"]),
    "unknown default": (
        "experiment",
        "# @package _global_\ndefaults: [{policy: bc}]\n",
        ["begins with a slash"],
    ),
    "key of a policy": ("policy", "defaults: [bc]\nhiden: [3]\n", ["did you mean 'policy.hidden'?"]),
    "no policy": ("policy", "name: bc\nhidden: [3]\n", ["add `defaults: [bc]`"]),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_file_is_told_with_the_file(
    case: str, own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    group, text, told = MISTAKES[case]
    file = own / group / "mine.yaml"
    file.write_text(text, errors="surrogateescape")
    words = [*NEEDED, "--config-dir", str(own), f"{group}=mine"]
    assert status_here(monkeypatch, "s2robot", "train", *words) == 2
    assert_one_line(capfd.readouterr().err, str(file), *told)


def test_a_plugins_policy_is_a_choice_with_help(modules: Path, tmp_path: Path) -> None:
    (modules / "mine.py").write_text(POLICY.format(name="mine"))
    done = run_process("s2robot", "train", "plugins=[mine]", "policy=mine", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "policy.strength=2.0" in done.stdout and "how strongly it is meant" in done.stdout


def test_plugins_of_an_experiment_are_loaded_before_it_is_composed(
    own: Path, modules: Path, tmp_path: Path
) -> None:
    (modules / "mine.py").write_text(POLICY.format(name="mine"))
    (own / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [{override /policy: mine}]\nplugins: [mine]\n"
    )
    said = job(tmp_path, "--config-dir", str(own), "experiment=mine")
    assert "  name: mine\n  obs_steps" in said and "plugins:\n- mine\n" in said


@pytest.mark.parametrize(
    ("source", "words", "told"),
    [
        ("", ["plugins=[mien]"], ["no module 'mien'", "PYTHONPATH", "the current folder is not searched"]),
        ("1 / 0", ["plugins=[mine]"], ["plugin 'mine'", "ZeroDivisionError"]),
        (POLICY.format(name="bc"), ["plugins=[mine]"], ["plugin 'mine'", "policy 'bc' is registered twice"]),
        ("", ["plugins=mine"], ["plugins=[mine]"]),
        ("", ["policy=mine"], ["unknown policy 'mine'", "plugins=[module]"]),
    ],
)
def test_train_refuses_plugins(
    source: str, words: list[str], told: list[str], modules: Path, tmp_path: Path
) -> None:
    (modules / "mine.py").write_text(source)
    (tmp_path / "mien.py").write_text("raise SystemExit('the current folder was searched')")
    done = run_process("s2robot", "train", *NEEDED, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert_one_line(done.stderr, *told)


def test_other_commands_take_plugins_as_well(modules: Path, tmp_path: Path) -> None:
    (modules / "mine.py").write_text("1 / 0")
    words = ["--env", "s2robot/PickCube-v0", "--out", "x.hdf5", "--plugins", "mine"]
    done = run_process("s2robot", "collect", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert_one_line(done.stderr, "plugin 'mine'", "ZeroDivisionError")
