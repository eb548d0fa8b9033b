"""Time and memory of `info` and `validate` on a large file: `python benchmarks/large_file.py [GB]`.

The file has 1,000 demonstrations of two cameras in many chunks. Its frames are never written, so HDF5 reads
them as zeros and the file takes little space on the disk; numbers are written as usual.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

DEMONSTRATIONS, SIZE = 1000, 128
KEYS = {"robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2, "object": 14}
CAMERAS = ("agentview_image", "robot0_eye_in_hand_image")


def write(path: Path, gigabytes: float) -> int:
    """The number of steps of the file that was written."""
    frame = SIZE * SIZE * 3
    steps = int(gigabytes * 1e9 / DEMONSTRATIONS / len(CAMERAS) / frame)
    rng = np.random.default_rng(0)
    env_args = {"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20}}
    with h5py.File(path, "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps(env_args)
        for i in range(DEMONSTRATIONS):
            demo = file.create_group(f"data/demo_{i}")
            demo.attrs["num_samples"] = steps
            demo["actions"] = rng.uniform(-1, 1, (steps, 7))
            demo["states"] = rng.normal(size=(steps, 32))
            for key, width in KEYS.items():
                demo[f"obs/{key}"] = rng.normal(size=(steps, width))
            for camera in CAMERAS:
                shape = (steps, SIZE, SIZE, 3)
                demo.create_dataset(f"obs/{camera}", shape, np.uint8, chunks=(1, SIZE, SIZE, 3))
    return steps


def measured(*words: str) -> str:
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "s2robot", *words], stdout=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - start
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"{words[0]:<9} {seconds:5.1f} s, at most {peak_mb:.0f} MB (status {done.returncode})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gigabytes", type=float, nargs="?", default=10, help="of frames (default: 10)")
    gigabytes = parser.parse_args().gigabytes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.hdf5")
        steps = write(path, gigabytes)
        print(f"{gigabytes:g} GB of frames, {DEMONSTRATIONS} demonstrations of {steps} steps")
        for command in ("info", "validate"):
            print(measured(command, str(path), "--json"))


if __name__ == "__main__":
    main()
