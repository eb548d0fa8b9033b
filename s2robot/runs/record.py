"""`run.json`: with what, where, when and by what command a run was trained, and how each start of it ended.

{"s2robot": "0.2.0", "starts": [{"date": ..., "command": ..., "folder": ..., "commit": ..., "clean": true,
  "versions": {...}, "hardware": {...}, "step": 0,
  "ended": {"how": "stopped", "date": ..., "step": 700, "reason": "SIGTERM"}}]}
"""

import json
import os
import platform
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import s2robot
from s2robot.errors import UserError
from s2robot.files import write_text
from s2robot.processes.cores import usable_cores
from s2robot.processes.ending import Terminated
from s2robot.runs.plain import read_object

NAME = "run.json"
PACKAGES = ("torch", "numpy", "diffusers", "timm", "safetensors", "mujoco", "gymnasium", "h5py")
FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
GIB = 2**30


@contextmanager
def recorded(
    run_dir: Path, device: str, words: Sequence[str], reached: Callable[[], tuple[int, str]]
) -> Iterator[None]:
    """Note a start of the training, and how it ends; the main process of several does.

    `words` are those of its command after `s2robot train`. `reached()` is the step that was reached, and
    the name of the signal that stopped it or "".
    """
    from s2robot import parallel  # imports PyTorch, which reading a record does not need

    if not parallel.is_main():
        yield
        return
    begin(run_dir, reached()[0], device, words)
    try:
        yield
    except KeyboardInterrupt:
        end(run_dir, STOPPED, reached()[0], "SIGINT")
        raise
    except Terminated as ended:
        end(run_dir, STOPPED, reached()[0], ended.signal.name)
        raise
    except Exception as error:
        end(run_dir, FAILED, reached()[0], " ".join(f"{type(error).__name__}: {error}".split())[:500])
        raise
    step, signal = reached()
    end(run_dir, STOPPED if signal else FINISHED, step, signal)


def begin(run_dir: Path, step: int, device: str, words: Sequence[str]) -> None:
    """Note a start at this step."""
    commit, clean = source_state()
    start = {
        "date": now(),
        "command": shlex.join(["s2robot", "train", *words]),
        "folder": os.getcwd(),
        "commit": commit,
        "clean": clean,
        "versions": {"python": platform.python_version(), "s2robot": s2robot.__version__, **_versions()},
        "hardware": _hardware(device),
        "step": step,
    }
    _write(run_dir, {"s2robot": s2robot.__version__, "starts": [*read(run_dir).get("starts", []), start]})


def end(run_dir: Path, how: str, step: int, reason: str = "") -> None:
    """Note how the latest start ended."""
    record = read(run_dir)
    record["starts"][-1]["ended"] = {"how": how, "date": now(), "step": step, "reason": reason}
    _write(run_dir, record)


def read(run_dir: Path) -> dict[str, Any]:
    """The content of `run.json`; empty where there is none. Raises `UserError` for another content."""
    path = run_dir / NAME
    if not path.exists():
        return {}
    record = read_object(path)
    starts = record.get("starts", [])
    if not isinstance(starts, list) or not all(isinstance(start, dict) for start in starts):
        raise UserError(f"{path}: `starts` must be a list of JSON objects")
    return record


def source_state() -> tuple[str | None, bool | None]:
    """The commit of the source that runs and whether nothing is changed there; None where it is no clone."""
    folder = Path(s2robot.__path__[0]).resolve().parent
    if not (folder / ".git").exists():
        return None, None

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), not git("status", "--porcelain")
    except (OSError, subprocess.SubprocessError):  # git is not installed, or it refuses this user
        return None, None


def now() -> str:
    """The time to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _hardware(device: str) -> dict[str, Any]:
    hardware: dict[str, Any] = {
        "host": socket.gethostname(),
        "cpu": _cpu(),
        "cores": usable_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "device": device,
    }
    if device.startswith("cuda"):
        import torch

        hardware["gpu"] = torch.cuda.get_device_name(device)
    return hardware


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _write(run_dir: Path, record: dict[str, Any]) -> None:
    write_text(run_dir / NAME, json.dumps(record, indent=2) + "\n")
