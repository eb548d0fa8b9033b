"""What only reads files imports no PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LINE = {"seed": 1, "success": True, "steps": 3, "return": 1.0, "wall_s": 0.1, "video": None}


@pytest.mark.parametrize(
    "code",
    [
        "from s2robot.evaluation.comparison import compare_folders; compare_folders(folder, folder)",
        "from s2robot.evaluation.report import write_report; write_report(folder)",
        "from s2robot.runs.folder import record_stage; record_stage(folder, 'collect', 1.0)",
        "import s2robot.rollouts.simulator",
    ],
)
def test_reading_results_and_simulating_import_no_pytorch(code: str, tmp_path: Path) -> None:
    evaluation = tmp_path / "eval" / "default"
    evaluation.mkdir(parents=True)
    (evaluation / "episodes.jsonl").write_text(json.dumps(LINE) + "\n")
    (evaluation / "seeds.json").write_text(json.dumps({"env_id": "a", "env_kwargs": {}, "seeds": [1]}))
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "train/loss": 2.0}\n')
    script = f"import sys, pathlib; folder = pathlib.Path({str(tmp_path)!r}); {code}; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "torch" not in done.stdout.split()
