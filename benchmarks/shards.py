"""Two shards of a dataset built at once into one store, beside one build: seconds and frames encoded.

    python benchmarks/shards.py DATA [--turns 3] [--sizes 224,448] [--cameras agentview]

Each build is the command `s2robot features`, so the start of Python is in every figure; take a dataset that
needs minutes. The stores are new and removed at the end. Both shards meet a frame that lies in both of their
episodes, and only such frames may be encoded twice.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def built(words: Sequence[str], root: Path, shards: Sequence[str]) -> tuple[float, int]:
    """Build into `root`, all shards at once; the seconds and the frames that were encoded."""
    command = [sys.executable, "-m", "s2robot", "features", *words, "--root", str(root), "--json"]
    start = time.perf_counter()
    processes = [
        subprocess.Popen([*command, *shard.split()], stdout=subprocess.PIPE, text=True) for shard in shards
    ]
    said = [process.communicate()[0] for process in processes]
    seconds = time.perf_counter() - start
    if any(process.returncode for process in processes):
        sys.exit(f"a build of {root} ended with an error")
    return seconds, sum(json.loads(text)["frames_encoded"] for text in said)


def missing(words: Sequence[str], root: Path) -> int:
    """Frames that a build of everything would still encode."""
    return built(words, root, [""])[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sizes", default="224,448")
    parser.add_argument("--cameras", default="agentview")
    given = parser.parse_args()
    words = [given.data, "--sizes", given.sizes, "--cameras", given.cameras]
    ways = {"one build": [""], "two shards": ["--shard 0/2", "--shard 1/2"]}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(given.turns):
        for way, shards in ways.items():
            with tempfile.TemporaryDirectory() as root:
                took, encoded = built(words, Path(root), shards)
                left = missing(words, Path(root))
            seconds[way].append(took)
            print(f"{way}: {took:.1f} s, {encoded} frames encoded, {left} left", flush=True)
    one, two = (statistics.median(seconds[way]) for way in ways)
    print(f"one build {one:.1f} s, two shards at once {two:.1f} s: {two / one:.2f} of it")


if __name__ == "__main__":
    main()
