"""Read damaged and hostile files: `make fuzz`, or `python benchmarks/fuzz.py run --count 500`.

Every mutation is read in a process of its own, which may take 10 s and 2 GB. It must be accepted, or refused
by a `UserError` of one line; nothing outside its folder may change or be shown, and nothing that a checksum
covers may be taken for right when it is not. A mutation is known by its reader, seed and number, so that
`--first N --count 1` does one again. Prints a table and ends with status 1 where that does not hold.
"""

import argparse
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fuzzing.mutations import SECRET, copied, mutate
from fuzzing.subjects import SUBJECTS, Subject

from s2robot.errors import UserError

GIB = 2**30
MOST_BYTES = 2 * GIB  # that reading may add to the memory of the process
MOST_CPU_S = 10
REFUSED, ACCEPTED = "refused", "accepted"


def attempt(subject: Subject, folder: Path) -> str:
    """What happens when a folder is read in this process: one of the two words, or a finding."""
    try:
        wrong = subject.read(folder)
    except UserError as error:
        return str(error) if SECRET in str(error) else REFUSED
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:120]!r} at {Path(place.filename).name}:{place.lineno}"
    shown = (SECRET.encode() in page.read_bytes() for page in folder.glob("*.html"))
    return wrong or ("a page shows what is outside" if any(shown) else ACCEPTED)


def in_a_child(subject: Subject, folder: Path, limit_s: float) -> str:
    """The same in a child with limits of time and memory."""
    reading, writing = os.pipe()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (size_now() + 2 * MOST_BYTES,) * 2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.write(writing, attempt(subject, folder).encode(errors="replace"))
        os._exit(0)
    os.close(writing)
    deadline, status = time.monotonic() + limit_s, None
    while status is None and time.monotonic() < deadline:
        ended, code, usage = os.wait4(child, os.WNOHANG)
        if ended:
            status = code
        else:
            time.sleep(0.001)
    if status is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = f"still reading after {limit_s:g} s"
    elif status:
        number = os.waitstatus_to_exitcode(status)
        told = f"ended by {signal.Signals(-number).name if number < 0 else number}"
    else:
        told = os.read(reading, 65536).decode()
        if usage.ru_maxrss * 1024 - before > MOST_BYTES:
            told = f"took {(usage.ru_maxrss * 1024 - before) / GIB:.1f} GiB"
    os.close(reading)
    return told


def size_now() -> int:
    """Bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def fuzz(
    name: str, work: Path, numbers: Sequence[int], seed: int, limit_s: float
) -> tuple[Counter[str], list[str]]:
    """Read the mutations of these numbers: how many were accepted and refused, a line a finding."""
    subject, outside = SUBJECTS[name], work / "outside"
    original, changed = work / name / "original", work / name / "changed"
    original.mkdir(parents=True)
    outside.mkdir(exist_ok=True)
    (outside / "secret.txt").write_text(SECRET)
    if (child := os.fork()) == 0:  # libraries with threads of their own must not run before the forks below
        subject.make(original)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, f"{name}: the input could not be made"
    assert (first := in_a_child(subject, copied(original, changed), 10 * limit_s)) == ACCEPTED, (
        f"{name}: {first}"
    )
    outcomes: Counter[str] = Counter()
    findings = []
    for number in numbers:
        how = mutate(copied(original, changed), outside, random.Random(f"{name}/{seed}/{number}"))
        told = in_a_child(subject, changed, limit_s)
        there = {path.name: path.read_text() for path in outside.iterdir()}
        if there != {"secret.txt": SECRET}:
            told = f"changed what is outside: {sorted(there)}"
        outcomes[told if told in (ACCEPTED, REFUSED) else "findings"] += 1
        if told not in (ACCEPTED, REFUSED):
            findings.append(f"{name} {number} ({how}): {told}")
            print(findings[-1].encode(errors="replace").decode(), flush=True)
    return outcomes, findings


def main(words: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "readers", nargs="*", metavar="READER", help=f"of {', '.join(SUBJECTS)} (default: all)"
    )
    parser.add_argument(
        "--count", type=int, default=10_000, help="mutations of each reader (default: 10,000)"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first, to go on (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: 0)")
    parser.add_argument("--limit", type=float, default=10, help="seconds that one may take (default: 10)")
    given = parser.parse_args(words)
    failed = False
    numbers = range(given.first, given.first + given.count)
    rows = [f"{'reader':14} {'mutations':>9} {ACCEPTED:>9} {REFUSED:>9} {'findings':>9} {'seconds':>8}"]
    for name in given.readers or SUBJECTS:
        if name not in SUBJECTS:
            parser.error(f"unknown reader {name!r}; known: {', '.join(SUBJECTS)}")
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            found, findings = fuzz(name, Path(work), numbers, given.seed, given.limit)
        failed |= bool(findings)
        counts = [found[outcome] for outcome in (ACCEPTED, REFUSED, "findings")]
        shown = " ".join(f"{count:9}" for count in (len(numbers), *counts))
        rows.append(f"{name:14} {shown} {time.monotonic() - began:8.0f}")
    print("\n".join(rows), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
