"""Kill convert, merge and split at random moments: `python benchmarks/killed.py [MOMENTS] [SEED]`.

After each kill -9 the target must not be there (or be complete, where the command was done), and the same
command must then succeed and leave nothing but its target. Ends with status 1 where that does not hold.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

DEMONSTRATIONS, STEPS, SIZE = 24, 40, 96
COMMANDS = {
    "convert to LeRobot": ["convert", "a.hdf5", "target", "--fps", "10"],
    "convert to LeRobot, lossless": ["convert", "a.hdf5", "target", "--fps", "10", "--lossless"],
    "convert to robomimic": ["convert", "a.hdf5", "target.hdf5"],
    "merge": ["merge", "a.hdf5", "b.hdf5", "--out", "target.hdf5"],
    "split": ["split", "a.hdf5", "--out", "target.hdf5"],
}


def write(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        for i in range(DEMONSTRATIONS):
            demo = file.create_group(f"data/demo_{i}")
            demo["actions"] = rng.uniform(-1, 1, (STEPS, 7))
            demo["obs/robot0_eef_pos"] = rng.normal(size=(STEPS, 3))
            demo["obs/robot0_eef_quat"] = rng.normal(size=(STEPS, 4))
            demo["obs/robot0_gripper_qpos"] = rng.normal(size=(STEPS, 2))
            coarse = rng.integers(0, 255, (STEPS, SIZE // 8, SIZE // 8, 3), dtype=np.uint8)
            demo["obs/front_image"] = coarse.repeat(8, 1).repeat(8, 2)


def start(words: list[str], folder: Path) -> subprocess.Popen:
    program = [sys.executable, "-m", "s2robot", *words]
    return subprocess.Popen(program, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tried(words: list[str], folder: Path, delay_s: float) -> str:
    """What is wrong after a kill at this moment, empty if nothing."""
    target, inputs = next(word for word in words if word.startswith("target")), {"a.hdf5", "b.hdf5"}
    process = start(words, folder)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wrong = ""
    if (folder / target).exists():
        if start(["validate", target, "--pixels"], folder).wait() != 0:
            wrong = "half-written"
        start(["subset", "a.hdf5", "--first", "1", "--out", target], folder).wait()  # refused; cleans up
    elif start(words, folder).wait() != 0:
        wrong = "the command failed the second time"
    if left := set(os.listdir(folder)) - inputs - {target}:
        wrong = wrong or f"left {sorted(left)}"
    subprocess.run(["rm", "-rf", folder / target], check=True)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("moments", type=int, nargs="?", default=10, help="kills of a command (default: 10)")
    parser.add_argument("seed", type=int, nargs="?", default=0, help="of the moments (default: 0)")
    arguments = parser.parse_args()
    moments, draw = arguments.moments, random.Random(arguments.seed)
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "a.hdf5", 0)
        write(folder / "b.hdf5", 1)
        for what, words in COMMANDS.items():
            began = time.monotonic()
            assert start(words, folder).wait() == 0, words
            whole_s = time.monotonic() - began
            subprocess.run(["rm", "-rf", folder / "target", folder / "target.hdf5"], check=True)
            wrong = [told for _ in range(moments) if (told := tried(words, folder, draw.uniform(0, whole_s)))]
            failed = failed or bool(wrong)
            print(
                f"{what}: {moments} kills within {whole_s:.1f} s: {', '.join(wrong) or 'all well'}",
                flush=True,
            )
    sys.exit(failed)


if __name__ == "__main__":
    main()
