"""Disks that are full or cannot be written: `unshare -r --mount python benchmarks/disks.py`.

Each of collect, features, train, eval, convert, merge and split is run in a small file system of its own:
with no room, with room for a part of what it writes, and read-only; train also with a cache that cannot be
written. Each time the command must end with status 2 and one line, and leave no scratch file; with room again
the same command must give the undisturbed result, to the bit. Ends with status 1 where that does not hold.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torture import finished, scratch_files, start
from torture_cases import CASES, Case, prepare

SIZE_MB = 256
SHARES = (0.0, 0.1, 0.5, 0.9)  # of what the command writes that there is room for
BALLAST, CACHE = "ballast", "cache"


def mounted(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(
            f"{' '.join(words)}: {done.stderr.strip()}; try `unshare -r --mount python benchmarks/disks.py`"
        )


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own at a new folder."""
    folder.mkdir()
    mounted("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def refused(case: Case, disk: Path, cache: Path) -> str:
    """What is wrong with how a command without room ended."""
    process = start(case.words, disk, cache=cache)
    _, said = process.communicate()
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    if process.returncode != 2 or len(lines) != 1 or "Traceback" in said:
        return f"status {process.returncode}, {len(said.splitlines())} lines: {said.strip()[-300:]}"
    return ""


def filled(disk: Path, room: int) -> Path:
    """A file that leaves so many bytes of the disk."""
    ballast = disk / BALLAST
    with ballast.open("wb") as file:
        left = shutil.disk_usage(disk).free - room
        while left > 0:
            file.write(bytes(min(left, 2**20)))
            file.flush()
            left = shutil.disk_usage(disk).free - room
    return ballast


def without_room(case: Case, disk: Path, room: int, expected: str) -> str:
    """What is wrong when the disk has so much room, and when it has enough again."""
    ballast = filled(disk, room)
    wrong = refused(case, disk, disk / CACHE)
    left = scratch_files(disk)
    ballast.unlink()
    return wrong or (f"left {left}" if left else "") or goes_on(case, disk, expected)


def read_only(case: Case, disk: Path, expected: str) -> str:
    mounted("-o", "remount,ro", str(disk))
    wrong = refused(case, disk, disk / CACHE)
    mounted("-o", "remount,rw", str(disk))
    return wrong or goes_on(case, disk, expected)


def unwritable_cache(case: Case, disk: Path, expected: str) -> str:
    with small_disk(disk / "other") as other:
        mounted("-o", "remount,ro", str(other))
        wrong = refused(case, disk, other / CACHE)
    return wrong or goes_on(case, disk, expected)


def goes_on(case: Case, disk: Path, expected: str) -> str:
    """What is wrong with the same command when nothing stops it."""
    if wrong := finished(case.words, disk):
        wrong = finished(case.again or case.words, disk)
    if wrong:
        return f"the same command then: {wrong}"
    return "" if case.result(disk) == expected else "another result"


def tried(case: Case, disk: Path, uses_cache: bool) -> list[str]:
    """Findings of all ways for one command; prints a line for each."""
    free = shutil.disk_usage(disk).free
    if wrong := finished(case.words, disk):
        sys.exit(f"{case.name}, undisturbed: {wrong}")
    written, expected = free - shutil.disk_usage(disk).free, case.result(disk)
    ways = {f"room for {share:.0%}": share for share in SHARES}
    findings = []

    def note(way: str, wrong: str) -> None:
        findings.extend([wrong] if wrong else [])
        print(f"{case.name:<10}{way:<20}{wrong or 'one line, then the same result'}", flush=True)

    def clear() -> None:
        case.clear(disk)
        shutil.rmtree(disk / CACHE, ignore_errors=True)

    for way, share in ways.items():
        clear()
        note(way, without_room(case, disk, int(share * written), expected))
    clear()
    note("read-only", read_only(case, disk, expected))
    if uses_cache:
        clear()
        note("unwritable cache", unwritable_cache(case, disk, expected))
    clear()
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CASES), help="commands (default: all)")
    names, failed = parser.parse_args().only.split(","), False
    folder = Path(tempfile.mkdtemp(prefix="s2robot-disks-"))
    try:
        with small_disk(folder / "disk") as disk:
            prepare(lambda words: finished(words, disk), evaluates="eval" in names)
            for name in names:
                failed |= bool(tried(CASES[name], disk, uses_cache=name in ("train",)))
    finally:
        shutil.rmtree(folder)
    sys.exit(failed)


if __name__ == "__main__":
    main()
