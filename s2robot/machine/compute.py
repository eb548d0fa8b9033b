"""Processor, graphics card, memory, and the precisions that are fast on them."""

import os
import shutil
from pathlib import Path

import psutil
import torch

from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.backends import remembered
from s2robot.machine.finding import Finding
from s2robot.processes.cores import usable_cores

GIB = 2**30
SHARED_MEMORY = Path("/dev/shm")  # observations and features travel between processes through it
LITTLE_SHARED_MEMORY = GIB
LITTLE_MEMORY = 4 * GIB
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
CUDA_BUILD = "install the CUDA build of PyTorch, see https://pytorch.org/get-started/locally/"


def findings() -> list[Finding]:
    return [_processor(), _precision(), *_gpus(), _memory(), _shared_memory(), _allocator(), *_backends()]


def _processor() -> Finding:
    return Finding("processor", f"{usable_cores()} usable cores, {torch.get_num_threads()} torch threads")


def _precision() -> Finding:
    """bfloat16 pays on a CPU only with instructions for it."""
    try:
        import openvino
    except ImportError:
        return Finding("precision", "float32 on the CPU")
    fast = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    bf16 = "bfloat16 is fast, too (AMX or AVX512-BF16)" if fast else "no AMX, so that bfloat16 is not faster"
    return Finding("precision", f"float32 on the CPU; {bf16}")


def _gpus() -> list[Finding]:
    if not torch.cuda.is_available():
        return [_no_gpu()]
    found = []
    for index in range(torch.cuda.device_count()):
        name = f"cuda:{index} {torch.cuda.get_device_name(index)}"
        try:
            free, total = torch.cuda.mem_get_info(index)
            works = float(torch.ones(2, device=f"cuda:{index}").sum()) == 2
        except RuntimeError as error:  # another program's card, or one that this build does not know
            found.append(Finding("GPU", f"{name}: {str(error).splitlines()[0]}", CUDA_BUILD, ok=False))
            continue
        memory = f"{free / GIB:.0f} of {total / GIB:.0f} GiB free"
        bf16 = "bfloat16 and float16" if torch.cuda.is_bf16_supported(False) else "float16"
        told = f"{name}, {memory}, {bf16} are fast" if works else f"{name} computes wrongly"
        found.append(Finding("GPU", told, "" if works else CUDA_BUILD, ok=works))
    return found


def _no_gpu() -> Finding:
    if not NVIDIA_DRIVER.exists() and shutil.which("nvidia-smi") is None:
        return Finding("GPU", "none: the CPU is used")
    if torch.version.cuda is None:
        return Finding(
            "GPU", f"there is an NVIDIA driver, but torch {torch.__version__} is a CPU build", CUDA_BUILD
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    mend = "look at nvidia-smi: the driver may be older than torch's CUDA"
    if hidden is not None:
        mend = f"CUDA_VISIBLE_DEVICES={hidden!r} may hide it: unset it"
    return Finding(
        "GPU", f"there is an NVIDIA driver, but torch finds no card (CUDA {torch.version.cuda})", mend
    )


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    told = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB available"
    return Finding("memory", told, "" if memory.available > LITTLE_MEMORY else "end other programs")


def _shared_memory() -> Finding:
    if not SHARED_MEMORY.is_dir():
        return Finding("memory", "no /dev/shm: processes share memory in the system's own way")
    size = shutil.disk_usage(SHARED_MEMORY).total
    mend = "" if size >= LITTLE_SHARED_MEMORY else "in a container, start it with --shm-size=2g"
    return Finding("memory", f"/dev/shm has {size / GIB:.1f} GiB", mend)


def _allocator() -> Finding:
    if keep_freed_memory():
        return Finding("memory", "freed tensors are kept by glibc (the program sees to it)")
    return Finding("memory", "no glibc: freed tensors go back to the system, which is slower")


def _backends() -> list[Finding]:
    """What `backend=auto` has measured on this machine so far."""
    found = []
    for key, tile_ms in remembered().items():
        times = ", ".join(f"{name} {tile_ms[name]:.1f}" for name in sorted(tile_ms, key=tile_ms.__getitem__))
        name = key.split(maxsplit=1)[0]
        found.append(Finding("backend", f"{name}: {times} ms a tile (the first is chosen)"))
    return found
