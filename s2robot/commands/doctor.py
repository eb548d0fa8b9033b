"""Say what this machine has for s2robot, and what is missing."""

import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Sequence
from contextlib import closing

from s2robot.commands.cli.parser import Parser
from s2robot.errors import UserError

PACKAGES = ("torch", "torchvision", "timm", "mujoco", "robomimic")
TIMED_FRAMES, TIMED_SIZE = 20, 448


def cli(words: Sequence[str]) -> None:
    """`s2robot doctor`; raises `UserError` when something is missing."""
    Parser(__name__, __doc__).parse_args(words)
    findings = diagnose()
    for what, well, details in findings:
        print(f"{'ok     ' if well else 'MISSING'} {what:<10} {details}")
    if not all(well for _, well, _ in findings):
        raise UserError("something is missing, see above")


def diagnose() -> list[tuple[str, bool, str]]:
    """Findings as (what, whether it is well, details); what only makes things faster may be absent.

    Each check imports what it looks at, so that a missing package is one finding among others.
    """
    packages = [("package", *_version(name)) for name in PACKAGES]
    if not all(well for _, well, _ in packages):
        return [("python", True, platform.python_version()), *packages]
    return [
        ("python", True, platform.python_version()),
        *packages,
        *_torch(),
        _openvino(),
        _robosuite(),
        *_backends(),
        ("memory", True, _memory()),
        _rendering(),
        _video(),
    ]


def _version(package: str) -> tuple[bool, str]:
    try:
        return True, f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        how = "--no-deps robomimic==0.3.0" if package == "robomimic" else package
        return False, f"{package} is missing: pip install {how}"


def _torch() -> list[tuple[str, bool, str]]:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: the CPU is used"
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads"
    return [("processor", True, threads), ("GPU", True, gpu)]


def _openvino() -> tuple[str, bool, str]:
    if importlib.util.find_spec("openvino") is None:
        return "OpenVINO", True, "none: encoding on a CPU takes twice the time (pip install openvino)"
    return "OpenVINO", True, importlib.metadata.version("openvino")


def _robosuite() -> tuple[str, bool, str]:
    if importlib.util.find_spec("robosuite") is None:
        return "robosuite", True, "none: its tasks need it (pip install 's2robot[robosuite]')"
    return "robosuite", True, importlib.metadata.version("robosuite")


def _backends() -> list[tuple[str, bool, str]]:
    """What `backend=auto` has measured on this machine so far."""
    from s2robot.encoders.backends import remembered

    rows = []
    for key, tile_ms in remembered().items():
        times = ", ".join(f"{name} {tile_ms[name]:.1f}" for name in sorted(tile_ms, key=tile_ms.__getitem__))
        rows.append(("backend", True, f"{key.split(maxsplit=1)[0]}: {times} ms a tile (the first is chosen)"))
    return rows


def _memory() -> str:
    from s2robot.encoders.allocator import keep_freed_memory

    if keep_freed_memory():
        return "freed tensors are kept by glibc (the program sees to it)"
    return "no glibc: freed tensors go back to the system, which is slower"


def _video() -> tuple[str, bool, str]:
    import imageio_ffmpeg

    try:
        return "video", True, f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}"
    except RuntimeError as error:
        return "video", False, str(error)


def _rendering() -> tuple[str, bool, str]:
    import gymnasium

    from s2robot.rollouts.environment import check_rendering

    try:
        check_rendering()
        with closing(gymnasium.make("s2robot/PickCube-v0", image_size=TIMED_SIZE)) as env:
            env.reset(seed=0)
            started = time.perf_counter()
            for _ in range(TIMED_FRAMES):
                env.unwrapped.observe(("agentview",))  # type: ignore[attr-defined]
            frame_ms = (time.perf_counter() - started) / TIMED_FRAMES * 1e3
    except (RuntimeError, UserError) as error:
        return "rendering", False, str(error)
    backend = os.environ.get("MUJOCO_GL", "(the display)")
    return "rendering", True, f"MUJOCO_GL={backend}, {frame_ms:.1f} ms a {TIMED_SIZE}x{TIMED_SIZE} frame"
