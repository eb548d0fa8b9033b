"""`benchmarks/gpu.py` prints every figure as one JSON object, also where optional packages are missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OPTIONAL = ("openvino", "robosuite", "plotly", "imageio_ffmpeg")  # nothing of the path needs one of them


def without_optional_packages(folder: Path) -> dict[str, str]:
    """The environment of a process, and of its children, that finds none of them."""
    blocked = f"import sys\nfor name in {OPTIONAL}:\n    sys.modules[name] = None\n"
    (folder / "sitecustomize.py").write_text(blocked)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def names(figures: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted names of all numbers."""
    found = set()
    for key, value in figures.items():
        found |= names(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
    return found


def test_it_prints_every_figure_without_a_gpu_and_without_optional_packages(tmp_path: Path) -> None:
    environment = without_optional_packages(tmp_path)
    missing = subprocess.run(
        [sys.executable, "-c", "import openvino"], env=environment, capture_output=True, check=False
    )
    assert missing.returncode != 0

    script = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--tiny", "--device", "cpu"]
    done = subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    found = names(figures)
    encoders = [
        f"{name} {precision}" for name in ("lite0", "vit_b16") for precision in ("float32", "float16")
    ]
    policies = ("bc", "diffusion_unet", "flow", "act", "diffusion_transformer")
    assert found == {
        *("device", "cores", "torch", "tiny", "seconds"),
        *(f"encoder.{name}.{key}" for name in encoders for key in ENCODER),
        *(f"build.{name}.{key}" for name in ("lite0", "vit_b16") for key in BUILD),
        *(f"training.{name}.{key}" for name in policies for key in TRAINING),
        *(f"ram_tier.{key}" for key in RAM_TIER),
        *(f"path.{key}" for key in PATH),
    }, done.stdout
    assert figures["path"]["episodes"] == 1 and figures["build"]["lite0"]["frames"] == 12


ENCODER = ("frames_per_s", "s2wrapper_frames_per_s", "ratio")
BUILD = ("frames", "seconds", "start_up_s", "frames_per_s", "encoder_frames_per_s", "share")
TRAINING = ("eager_ms", "graph_ms", "ratio", "replayed")
RAM_TIER = ("device_steps_per_s", "ram_steps_per_s", "share", "waiting")
PATH = (
    *("collect_s", "features_s", "train_s", "eval_s", "total_s"),
    *("episodes", "successes", "decisions_per_s"),
)
