"""What is said when a package that a command needs is missing or is another one of the same name."""

import subprocess
import sys
from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.runs.checkpoint import policy_config
from tests.commands.command_line import assert_one_line, run_process

WITHOUT_ROBOMIMIC = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "robomimic":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
from s2robot.policies import POLICIES
from s2robot.commands.cli.console import one_line_errors
with one_line_errors():
    network, options = POLICIES[sys.argv[1]]
    print(network.__name__)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["s2robot", "collect", "--env", "s2robot/PickCube-v0", "--out", "x.hdf5"],
        ["s2robot", "render", "x.hdf5", "--size", "64", "--out", "y.hdf5"],
    ],
)
def test_another_package_called_envs_is_named_and_not_run(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "path" / "envs"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise SystemExit('the other package was run')")
    monkeypatch.setenv("PYTHONPATH", str(other.parent), prepend=":")
    done = run_process(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert_one_line(done.stderr, str(other), "uninstall or rename it")


def without_robomimic(policy: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_ROBOMIMIC, policy]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("policy", ["bc", "bc_gmm", "bc_rnn_gmm", "bc_transformer_gmm"])
def test_policies_of_robomimics_networks_say_how_to_install_it(policy: str) -> None:
    done = without_robomimic(policy)
    assert done.returncode == 2
    assert_one_line(done.stderr, "pip install --no-deps robomimic==0.3.0", "egl_probe")


def test_other_policies_do_without_robomimic() -> None:
    assert without_robomimic("flow").stdout == "FlowPolicy\n"


def test_a_checkpoint_of_a_plugins_policy_says_how_to_name_the_plugin() -> None:
    with pytest.raises(UserError, match=r"unknown policy 'mine'.*plugins=\[module\]"):
        policy_config({"name": "mine"})
