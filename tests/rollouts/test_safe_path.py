"""Child processes execute nothing that lies in the current folder."""

import subprocess
import sys
from pathlib import Path

import pytest

SHADOWED = [
    *("gymnasium", "h5py", "mujoco", "numpy", "pickle", "random", "selectors", "signal", "socket"),
    *("struct", "tempfile", "threading"),
]
ROLLOUT = """
from tests.rollouts.tiny_actor import TinyActor
from s2robot.rollouts import run_episodes
print(run_episodes(TinyActor(), "tests.rollouts.tiny_env:Tiny-v0", [1], workers=1)[0].steps)
"""
COLLECT = """
from pathlib import Path
from s2robot.collecting.collect import Collection, collect
if __name__ == "__main__":
    kwargs = {"image_size": 16, "cameras": []}
    print(collect(Collection("s2robot/PickCube-v0", 1, env_kwargs=kwargs), Path("demos.hdf5"), workers=1))
"""


@pytest.mark.parametrize("script", [ROLLOUT, COLLECT], ids=["rollout", "collect"])
def test_nothing_in_the_current_folder_is_executed(script: str, tmp_path: Path) -> None:
    folder, here = tmp_path / "folder", Path(__file__).parents[2]
    folder.mkdir()
    for name in SHADOWED:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write('{name} ')")
    program = tmp_path / "program.py"
    # The entry '' is what an interactive session has; what this process needs itself is imported before.
    program.write_text(
        f"import sys\nsys.path.append({str(here)!r})\n"
        "import torch, gymnasium, h5py, tempfile, s2robot.rollouts.episodes, s2robot.collecting.collect\n"
        f"sys.path.insert(0, '')\n{script}"
    )

    done = subprocess.run(
        [sys.executable, str(program)], cwd=folder, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "executed").exists()
