"""The first mutations of `make fuzz` for most readers; more of them take minutes and are run by hand."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COUNT = 6  # mutations of each reader; a LeRobot folder takes a second each and is left out
DRIVER = f"""
import fuzz
from pathlib import Path

def careless(folder: Path) -> str | None:
    return None if (folder / "a.json").read_bytes() == b"[1]" else "damage was taken for right"

fuzz.SUBJECTS["careless"] = fuzz.Subject(lambda folder: (folder / "a.json").write_text("[1]"), careless)
assert fuzz.main(["careless", "--count", "12", "--limit", "1"]) == 1
readers = ["dataset", "checkpoint", "store", "run", "configuration"]
assert fuzz.main([*readers, "--count", "{COUNT}", "--seed", "1", "--limit", "60"]) == 0
"""


def test_damaged_files_are_read_or_refused_and_a_careless_reader_is_found() -> None:
    path = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    done = subprocess.run(
        [sys.executable, "-c", DRIVER], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "damage was taken for right" in done.stdout
    assert "careless" in done.stdout and "FileNotFoundError" in done.stdout
    table = [
        line.split()
        for line in done.stdout.splitlines()
        if line.startswith(("dataset", "checkpoint", "run "))
    ]
    assert [(row[1], row[4]) for row in table] == [(str(COUNT), "0")] * 3
