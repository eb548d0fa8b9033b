"""Check what a demo left behind: check_demo.py RUN_DIR DEMONSTRATIONS EPISODES STEPS."""

import json
import sys
from pathlib import Path

import h5py
import imageio.v3 as iio

run_dir = Path(sys.argv[1])
demonstrations, episodes, steps = map(int, sys.argv[2:])

with h5py.File(run_dir / "demos.hdf5") as file:
    assert len(file["data"]) == demonstrations, list(file["data"])

checkpoint = json.loads((run_dir / "checkpoints" / "last" / "checkpoint.json").read_text())
assert checkpoint["step"] == steps, checkpoint["step"]
assert (run_dir / "checkpoints" / "best" / "model.safetensors").is_file()

evaluation = run_dir / "eval" / "default"
lines = [json.loads(line) for line in (evaluation / "episodes.jsonl").read_text().splitlines()]
assert len({line["seed"] for line in lines}) == len(lines) == episodes, lines
assert all(set(line) == {"seed", "success", "steps", "return", "wall_s", "video"} for line in lines), lines
summary = json.loads((evaluation / "summary.json").read_text())
assert summary["episodes"] == episodes, summary
assert summary["successes"] == sum(line["success"] for line in lines), summary
for line in lines:
    frames = iio.imread(evaluation / line["video"])
    assert len(frames) >= line["steps"], (line, frames.shape)
assert "<video" in (run_dir / "report.html").read_text()
print(f"{run_dir}: all there")
