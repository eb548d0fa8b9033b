"""The command itself executes nothing that lies in the folder where it is typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHADOWED = (
    *("ast", "difflib", "gymnasium", "h5py", "hydra", "json", "mujoco", "numpy", "sitecustomize", "tempfile"),
    *("threading", "torch", "typing", "wandb", "yaml"),
)


@pytest.mark.parametrize("words", [["--help"], ["runs", "."], ["eval", "checkpoint=."]])
def test_nothing_in_the_current_folder_is_executed(words: list[str], tmp_path: Path) -> None:
    for name in SHADOWED:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write('{name} ')")
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "evil.py").write_text((tmp_path / "json.py").read_text())

    done = subprocess.run(
        [sys.executable, "-m", "s2robot", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert not (tmp_path / "executed").exists()
