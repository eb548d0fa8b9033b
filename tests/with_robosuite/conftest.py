"""robosuite's tests: they run where robosuite is installed (`make test-robosuite`) and nowhere else.

Nothing here may be skipped: a missing package is an error of the run.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import robosuite  # noqa: F401 (must be there)

from s2robot.collecting.collect import Collection, collect

LIFT = "s2robot/robosuite-Lift-v0"
COLLECTION = Collection(LIFT, episodes=2, seed=3, env_kwargs={"image_size": 48})


@pytest.fixture(scope="session")
def lift_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demonstrations of Lift, two cameras at 48x48. Not to be changed."""
    path = tmp_path_factory.mktemp("lift") / "lift.hdf5"
    collect(COLLECTION, path, workers=2)
    return path


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for what robomimic's EnvRobosuite imports: an exception's name, a count of GPUs."""
    folder = tmp_path_factory.mktemp("stand_ins")
    exception = "class builder:\n    class MujocoException(Exception):\n        pass\n"
    (folder / "mujoco_py.py").write_text(exception)
    (folder / "egl_probe.py").write_text("def get_available_devices():\n    return []\n")
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, None]:
    """A skipped test is a failed one."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"{item.nodeid} was skipped; here every test must run"
