"""How many processor cores this process may use."""

import os


def usable_cores() -> int:
    """Those that it is bound to, where the system knows (not on macOS), else those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
