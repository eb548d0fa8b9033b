"""Keep large tensors' memory inside the process instead of giving it back to the kernel after every call.

By default glibc serves every large block with a fresh mmap and returns it when it is freed, so each
forward pass on the CPU pays for its page faults again: a frozen convolutional network spends two thirds
of its time there.
"""

import ctypes
import sys

# Parameter numbers and the limit of the first (half a heap on 64-bit systems) are those of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
MMAP_THRESHOLD_BYTES = 32 * 2**20
TRIM_THRESHOLD_BYTES = 1 * 2**30


def keep_freed_memory() -> bool:
    """Raise glibc's mmap and trim thresholds for this process; may be called any number of times.

    Returns whether that was done: on other C libraries (musl, macOS) nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    trim = libc.mallopt(ctypes.c_int(M_TRIM_THRESHOLD), ctypes.c_int(TRIM_THRESHOLD_BYTES))
    mmap = libc.mallopt(ctypes.c_int(M_MMAP_THRESHOLD), ctypes.c_int(MMAP_THRESHOLD_BYTES))
    return bool(trim and mmap)
