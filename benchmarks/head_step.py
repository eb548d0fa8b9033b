"""What a head takes of a training step: forward and backward of stored maps, beside the CPU's limit.

    python benchmarks/head_step.py                          # every head at 28x28 cells, fp32 and bf16
    python benchmarks/head_step.py --heads spatial_softmax "spatial_softmax hidden=64" --grid 14 --threads 2

`of the limit` is the share of the rate that a large matrix product reaches here in the same precision; what
is not arithmetic (float16 to float32, softmax, fresh memory) is time without operations. Medians: compare
rows of one run, on a quiet machine.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from s2robot.policies.heads import HEADS, CameraShape, Head
from s2robot.training.precision import why_slow

CHANNELS, SCALES, PREFIX = 224, 2, (5, 64)  # Lite0 at two scales; prefix tokens for the heads that read them
DEFAULT = [*HEADS, "spatial_softmax hidden=64"]
PRODUCT, WARM_UP = 1024, 2
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def made(words: str, grid: int) -> Head:
    """`spatial_softmax hidden=64` -> that head."""
    name, *options = words.split()
    arguments: dict[str, Any] = {key: int(value) for key, value in (one.split("=") for one in options)}
    return HEADS[name](CameraShape(CHANNELS, (grid, grid), SCALES, PREFIX), **arguments)


def median_s(work: Callable[[], object], turns: int) -> float:
    seconds = list[float]()
    for _ in range(WARM_UP + turns):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[WARM_UP:])[turns // 2]


def product_rate(dtype: torch.dtype, turns: int) -> float:
    """Operations a second of a large matrix product."""
    matrix = torch.ones(PRODUCT, PRODUCT, dtype=dtype)
    return 2 * PRODUCT**3 / median_s(lambda: torch.matmul(matrix, matrix), turns)


def step_of(head: Head, maps: Tensor, prefix: Tensor | None, dtype: torch.dtype) -> Callable[[], None]:
    """Forward and backward in this precision."""

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            given = {"prefix": prefix} if head.reads_prefix else {}
            out = head(maps, **given)
        out.float().square().mean().backward()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", nargs="+", default=DEFAULT, metavar="HEAD", help='"NAME OPTION=VALUE"')
    parser.add_argument("--grid", type=int, default=28, help="cells a side")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=9, help="timed, of which the median counts")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    maps = torch.randn(given.batch, CHANNELS, given.grid, given.grid).half()
    prefix = torch.randn(given.batch, *PREFIX).half()
    precisions = [name for name in DTYPES if not why_slow(name, torch.device("cpu"))]
    rates = {name: product_rate(DTYPES[name], given.turns) for name in precisions}
    for name, rate in rates.items():
        print(f"a matrix product in {name}: {rate / 1e9:.0f} GFLOP/s")
    print(f"{given.batch} maps of {CHANNELS} x {given.grid} x {given.grid}, {given.threads} threads")
    print("| head | precision | ms | GFLOP | of the limit |\n|---|---|---|---|---|")
    for words in given.heads:
        head = made(words, given.grid)
        head.fit(torch.zeros(CHANNELS), torch.ones(CHANNELS))
        for name in precisions:
            step = step_of(head, maps, prefix, DTYPES[name])
            with FlopCounterMode(display=False) as counted:
                step()
            seconds, operations = median_s(step, given.turns), counted.get_total_flops()
            share = operations / seconds / rates[name]
            print(f"| {words} | {name} | {1000 * seconds:.0f} | {operations / 1e9:.1f} | {share:.0%} |")


if __name__ == "__main__":
    main()
