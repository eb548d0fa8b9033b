"""The index of a large feature store: seconds to open it and to look frames up, and memory.

python benchmarks/index.py [--rows 5000000,20000000] [--segments 4] [--look-ups 1000000]

The store is generated: hashes by chance, rows that are holes of a sparse file. A process of its own opens it,
looks up as many frames that are stored as frames that are not, and says what it held at most. The last line,
in brackets, carries the slope between the last two sizes on to 10^8 rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from s2robot.features.hashing import HASH, sealed
from s2robot.features.index import sort, write_index
from s2robot.features.segment import RECORD, Segment
from s2robot.features.snapshot import Snapshot

ROW_BYTES = 2**15
FULL = 10**8  # rows of which the figures are extrapolated


def generate(folder: Path, rows: int, segments: int) -> None:
    """Write segments of rows that nobody encoded."""
    random = np.random.default_rng(0)
    for number in range(segments):
        count = rows // segments
        segment = folder / f"{number:016x}"
        segment.mkdir(parents=True)
        records = np.zeros(count, RECORD)
        records["frame"] = random.integers(0, 2**64, 2 * count, np.uint64).view(HASH)
        sealed(records, 0).tofile(segment / "records.bin")
        with (segment / "rows.bin").open("wb") as file:
            file.truncate(count * ROW_BYTES)
        write_index(segment / "index.bin", sort(records["frame"]))


def measure(folder: Path, look_ups: int) -> dict[str, float]:
    """Open and look up; in a process that did nothing else."""
    before = _resident_mib()
    start = time.perf_counter()
    snapshot = Snapshot([Segment(one, ROW_BYTES) for one in sorted(folder.iterdir())])
    snapshot.find(np.zeros(1, HASH))
    opened = time.perf_counter()
    random = np.random.default_rng(1)
    stored = snapshot.hashes(random.integers(0, len(snapshot), look_ups // 2))
    strange = random.integers(0, 2**64, look_ups // 2 * 2, np.uint64).view(HASH)
    hashes = np.concatenate([stored, strange])
    ready = time.perf_counter()
    found = snapshot.find(hashes)
    end = time.perf_counter()
    if (found[: len(stored)] < 0).any() or (found[len(stored) :] >= 0).any():
        raise RuntimeError("frames were not found, or were found that are not there")
    return {"open_s": opened - start, "look_up_s": end - ready, "mib": _resident_mib() - before}


def _resident_mib() -> float:
    """The most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="5000000,20000000")
    parser.add_argument("--segments", type=int, default=4)
    parser.add_argument("--look-ups", type=int, default=10**6)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.look_ups)))
        return
    sizes = [int(size) for size in arguments.rows.split(",")]
    results = []
    print(f"{'rows':>11} {'open':>8} {f'{arguments.look_ups:,} look-ups':>19} {'memory':>9}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            generate(Path(folder), size, arguments.segments)
            command = [sys.executable, __file__, "--measure", folder, "--look-ups", str(arguments.look_ups)]
            results.append(json.loads(subprocess.check_output(command)))
        _show(f"{size:,}", results[-1])
    if len(sizes) > 1 and sizes[-1] < FULL:
        share = (FULL - sizes[-1]) / (sizes[-1] - sizes[-2])
        last, before = results[-1], results[-2]
        _show(f"({FULL:,})", {key: last[key] + share * (last[key] - before[key]) for key in last})


def _show(name: str, figures: dict[str, float]) -> None:
    print(
        f"{name:>11} {figures['open_s']:>6.2f} s {figures['look_up_s']:>17.2f} s {figures['mib']:>5.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
