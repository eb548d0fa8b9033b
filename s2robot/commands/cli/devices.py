"""`s2robot features --devices cuda:0,cuda:1`: one encoding process for each device, all into one store.

Each process is `s2robot features` itself with a share of the episodes (`--shard`).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from s2robot.errors import UserError, number_of
from s2robot.processes.starting import child_environment

ALL = "all"  # GPUs that PyTorch finds


def build_on_devices(words: Sequence[str], given: argparse.Namespace) -> int:
    """Build with the command's own `words` on each of `given.devices`; the frames that were encoded.

    What each says on its way is passed on behind its name. When one fails the others are ended, and
    `UserError` has its last line; what was stored is valid and found by the next build.
    """
    devices = _named(given.devices)
    if given.plan or given.verify or given.check is not None or given.shard is not None:
        raise UserError("--devices shares a build: it takes no --plan, --verify, --check or --shard")
    begin = [sys.executable, "-m", "s2robot", "features", *words, "--devices", "", "--json", "--progress"]
    encoded = 0
    with ThreadPoolExecutor(len(devices)) as threads:
        children = {
            device: subprocess.Popen(
                [*begin, "--device", device, "--shard", f"{number}/{len(devices)}"],
                env=child_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number, device in enumerate(devices)
        }
        try:
            waiting = [threads.submit(_report, device, child) for device, child in children.items()]
            for done in as_completed(waiting):
                device, report = done.result()
                encoded += report["frames_encoded"]
                if not given.json:
                    told = number_of(report["frames_encoded"], "frame")
                    print(f"{device}: {told} encoded, {report['seconds']:.1f} s", flush=True)
        finally:
            for child in children.values():
                child.terminate()  # those that are done take no notice
    return encoded


def _named(text: str) -> list[str]:
    """The devices of an option. Raises `UserError` for none, and for one that is named twice."""
    from s2robot.device import choose_device, gpus

    names = gpus() if text == ALL else [name.strip() for name in text.split(",")]
    if not names:
        raise UserError(f"--devices {ALL}: PyTorch finds no GPU; --device cpu builds without")
    if len(set(names)) < len(names):
        raise UserError(f"--devices {text}: name each device once")
    for name in names:
        choose_device(name)
    return names


def _report(device: str, child: "subprocess.Popen[str]") -> tuple[str, dict[str, Any]]:
    """The device, and what its process says at its end. Raises `UserError` if it failed."""
    assert child.stdout is not None and child.stderr is not None
    last = ""
    for line in child.stderr:  # the report on stdout is one line: no pipe fills up meanwhile
        last = line.rstrip()
        if not last.startswith("error: "):
            print(f"{device}: {last}", file=sys.stderr, flush=True)
    out = child.stdout.read()
    if status := child.wait():
        why = last.removeprefix("error: ") or f"it ended with status {status}"
        raise UserError(f"the build on {device} failed: {why}")
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return device, report
