"""Each case runs in a process of its own, because the allocator's thresholds are the process's."""

import os
import subprocess
import sys

import pytest

PAGE_FAULTS = """
import resource, torch
from s2robot.encoders.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def activations():
    return [torch.ones(24 * 2**20, dtype=torch.uint8) for _ in range(4)]
for _ in range(3):
    activations()
before = faults()
for _ in range(10):
    activations()
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_large_tensors_keep_their_pages() -> None:
    # glibc moves its threshold with what was freed before; given one, it keeps it until mallopt moves it
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}
    given_back, kept = (
        int(
            subprocess.run(
                [sys.executable, "-c", PAGE_FAULTS.format(keep=k)],
                capture_output=True,
                check=True,
                env=environment,
            ).stdout
        )
        for k in (False, True)
    )
    assert kept < 0.1 * given_back
