"""The wheel and the example plugin, installed into an environment that does not see the checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ("pyproject.toml", "README.md", "LICENSE", "s2robot", "envs", "configs", "examples")
QUICK = ["encoder.sizes=[32]", "encoder.backend=torch", "device=cpu", "optim.steps=3", "optim.batch_size=4"]


class Installed:
    """An environment of its own and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.environment, self.cwd = folder / "environment", folder / "empty"
        self.cwd.mkdir()
        venv.create(self.environment, with_pip=False, symlinks=True)
        self.python = self.environment / "bin" / "python"
        self.packages = Path(
            self.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        )
        # The packages of the tests, but not what their own .pth files add: the checkout
        (self.packages / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, program: str, *words: str) -> str:
        """Standard output of a program of the environment, which must succeed."""
        variables = {"PATH": f"{self.environment}/bin:{os.environ['PATH']}", "HOME": str(self.cwd.parent)}
        done = subprocess.run(
            [self.environment / "bin" / program, *words],
            cwd=self.cwd,
            env={**variables, "S2ROBOT_CACHE": str(self.cwd.parent / "cache"), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def pip(*words: str | Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", *quiet, *words], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"  # setuptools writes beside what it builds
    source.mkdir()
    for name in PROJECT:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True)
        else:
            shutil.copy(path, source / name)
    environment = Installed(folder)
    local = ("--no-deps", "--no-build-isolation", "--no-index")
    pip("wheel", *local, "--wheel-dir", folder, source, source / "examples" / "plugin")
    wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == 2
    pip("--python", environment.python, "install", *local, *wheels)
    return environment


def test_it_is_the_installed_package_that_runs(installed: Installed) -> None:
    program = "import s2robot, envs; print(s2robot.__file__, envs.__file__, s2robot.__version__)"
    s2robot_file, envs_file, version = installed.run("python", "-c", program).split()
    assert Path(s2robot_file).parent == installed.packages / "s2robot"
    assert Path(envs_file).parent == installed.packages / "envs"
    assert installed.run("s2robot", "--version") == version
    assert (installed.packages / "s2robot" / "py.typed").exists()


def test_everything_works_from_an_empty_folder(installed: Installed) -> None:
    """Collect, train, evaluate and report, with the head, the policy and the task of a plugin."""
    collect = ["--env", "example/Hover-v0", "--episodes", "3", "--image-size", "64", "--workers", "2"]
    installed.run("s2robot", "collect", *collect, "--out", "demos.hdf5")
    plugged = ["policy=linear", "policy.head=maximum", "policy.dropout=0.1"]
    train = ["experiment=demo", "data.path=demos.hdf5", "run_dir=run", *plugged, *QUICK]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "1"]
    assert "trained to step 3" in installed.run("python", *torchrun, "-m", "s2robot", "train", *train)
    assert "policy.dropout=0.0" in installed.run("s2robot", "train", "policy=linear", "--help")

    evaluate = ["checkpoint=run/checkpoints/last", "episodes=1", "video=1", "workers=1", "backend=torch"]
    assert "example/Hover-v0: " in installed.run("s2robot", "eval", *evaluate)
    assert "report.html" in installed.run("s2robot", "report", "run")

    description = json.loads((installed.cwd / "run/checkpoints/last/checkpoint.json").read_text())
    policy = description["config"]["policy"]
    assert (policy["name"], policy["head"], policy["dropout"]) == ("linear", "maximum", 0.1)
    assert "<video" in (installed.cwd / "run" / "report.html").read_text()
    assert {path.name for path in installed.cwd.iterdir()} == {"demos.hdf5", "run"}
