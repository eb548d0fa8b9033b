"""Stop commands at random moments and run them again: `make torture`, `benchmarks/torture.py --count 5`.

Each of collect, features, train, eval, convert, merge and split is run once undisturbed. Then it is stopped
at random moments of that time: by kill -9 of its main process (`--count` times), by SIGTERM and by Ctrl-C
to its whole group (`--signals` times each), and, where it has workers, by kill -9 of one. After each stop

    no process of it is left after some seconds, and no traceback was printed
    after SIGTERM and Ctrl-C no scratch file is left
    the same command ends well, with the result of the undisturbed run, to the bit
    nothing is left beside it

Ends with status 1 where that does not hold, and prints what.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from torture_cases import CASES, Case, prepare

LINGER_S = 20.0  # for the children of a process that has ended
ROOT = Path(__file__).resolve().parents[1]
WORKER = "a worker killed"
REFUSED = "exists; delete it or choose another name"
STOPS = {
    "kill -9": signal.SIGKILL,
    "SIGTERM": signal.SIGTERM,
    "Ctrl-C": signal.SIGINT,
    WORKER: signal.SIGKILL,
}


def start(words: list[str], folder: Path, cache: Path | None = None) -> subprocess.Popen[str]:
    """A command in a process group of its own; the cache is in its folder if None."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "S2ROBOT_CACHE": str(cache or folder / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "s2robot", *words],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def finished(words: list[str], folder: Path) -> str:
    """Run a command to its end; what it said if it failed."""
    process = start(words, folder)
    _, said = process.communicate()
    return f"status {process.returncode}: {said.strip()[-300:]}" if process.returncode else ""


def stopped(case: Case, folder: Path, how: str, delay_s: float) -> str:
    """Start a command, stop it after so long; what was wrong with its end."""
    process = start(case.words, folder)
    time.sleep(delay_s)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    if how == WORKER:
        workers = [one for one in family[1:] if "tracker" not in " ".join(_command(one))]
        for worker in workers[:1]:
            worker.kill()
    elif how == "kill -9":
        process.kill()
    else:
        os.killpg(process.pid, STOPS[how])
    _, said = process.communicate()
    _, left = psutil.wait_procs(family, timeout=LINGER_S)
    if left:
        for one in left:
            one.kill()
        return f"{len(left)} processes were left"
    if "Traceback" in said:
        return f"a traceback: {said.strip().splitlines()[-1][:200]}"
    if how in ("SIGTERM", "Ctrl-C") and (scratch := scratch_files(folder)):
        return f"scratch files were left: {scratch}"
    return ""


def scratch_files(folder: Path) -> list[str]:
    """What only a process that is writing may have."""
    found = (
        path for path in folder.rglob(".*") if path.suffix == ".part" or path.name in (".lock", ".replacing")
    )
    return sorted(str(path.relative_to(folder)) for path in found)


def tried(case: Case, folder: Path, how: str, delay_s: float, expected: str) -> str:
    """What is wrong after a stop at this moment, empty if nothing."""
    case.clear(folder)
    if wrong := stopped(case, folder, how, delay_s):
        return wrong
    wrong = finished(case.again or case.words, folder)
    if wrong and REFUSED not in wrong:  # it was finished when it was stopped
        return f"the same command then: {wrong}"
    if case.result(folder) != expected:
        return "another result"
    return f"left {left}" if (left := scratch_files(folder)) else ""


def tortured(case: Case, folder: Path, counts: dict[str, int], draw: random.Random) -> dict[str, list[str]]:
    """Findings of each way to stop a command; prints a line of the table for it."""
    case.clear(folder)
    began = time.monotonic()
    if wrong := finished(case.words, folder):
        sys.exit(f"{case.name}, undisturbed: {wrong}")
    whole_s, expected = time.monotonic() - began, case.result(folder)
    findings = {}
    for how, count in counts.items():
        if how == WORKER and not case.has_workers:
            continue
        moments = [draw.uniform(0, whole_s) for _ in range(count)]
        found = [
            f"after {m:.2f} s, {told}" for m in moments if (told := tried(case, folder, how, m, expected))
        ]
        findings[how] = found
        print(f"{case.name:<10}{how:<17}{count:>4} in {whole_s:5.1f} s{len(found):>5} findings", flush=True)
        for line in found:
            print(f"    {line}", flush=True)
    case.clear(folder)
    return findings


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50, help="kills of each command (default: 50)")
    parser.add_argument("--signals", type=int, default=10, help="of SIGTERM, Ctrl-C, workers (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--only", default=",".join(CASES), help="commands (default: all)")
    arguments = parser.parse_args()
    counts = dict.fromkeys(STOPS, arguments.signals) | {"kill -9": arguments.count}
    folder, failed = Path(tempfile.mkdtemp(prefix="s2robot-torture-")), False
    try:
        names = arguments.only.split(",")
        prepare(lambda words: finished(words, folder), evaluates="eval" in names)
        for name in names:
            found = tortured(CASES[name], folder, counts, random.Random(arguments.seed))
            failed = failed or any(found.values())
    finally:
        shutil.rmtree(folder)
    sys.exit(failed)


if __name__ == "__main__":
    main()
