"""`s2robot features` beyond one machine: options of `--engine ray`, and the plan for many machines."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from s2robot.commands.cli.options import ENGINES
from s2robot.errors import UserError, number_of

if TYPE_CHECKING:
    from s2robot.features.plan import Plan
    from s2robot.features.shards import Shard


def machine_options(add: Callable[..., object]) -> None:
    """What is said about other machines."""
    share = "only share I of N; alone: what SLURM or torchrun say"
    add("--shard", nargs="?", const="", metavar="I/N", help=share)
    add("--progress", action="store_true", help="say how far a build is with --json, too")
    add("--engine", choices=ENGINES, default="local", help="ray: built by the nodes of a cluster")
    add("--address", help="of the Ray cluster: auto, ray://HOST:PORT (default: one is started here)")
    add("--machines", type=int, metavar="N", help="of --plan: for so many machines")
    add("--gpus", type=int, metavar="N", help="of --plan: GPUs of each machine (default: none)")


def check_machine_options(given: argparse.Namespace) -> None:
    """Raise `UserError` for a dataset that is not named, and for options that do not go together."""
    if given.data is None:
        taken = f" (--shard took {given.shard!r}: it goes behind that)" if given.shard else ""
        raise UserError(
            f"which dataset? give a file, a folder or a glob in quotes{taken}; see `s2robot features --help`"
        )
    if given.address is not None and given.engine != "ray":
        raise UserError(f"--address {given.address} is that of a Ray cluster: add --engine ray")
    if given.engine == "ray" and (given.plan or given.verify or given.check is not None):
        raise UserError("--engine ray builds: leave out --plan, --verify and --check")
    if given.engine == "ray" and (given.shard is not None or given.devices):
        raise UserError("--engine ray shares the episodes out itself: leave out --shard and --devices")
    if given.shard is not None and (given.machines is not None or given.gpus is not None):
        raise UserError("--machines and --gpus plan the whole dataset: leave out --shard")
    if given.address == "":
        raise UserError("--address is empty: give auto or ray://HOST:PORT, or leave it out")
    if (given.machines is not None or given.gpus is not None) and not given.plan:
        raise UserError("--machines and --gpus are of a plan: add --plan")
    for name, least in (("machines", 1), ("gpus", 0)):
        if (count := getattr(given, name)) is not None and count < least:
            raise UserError(f"--{name} is {least} or more, not {count}")


def share_of(shard: "Shard", episodes: list[int]) -> list[int]:
    """The episodes of a shard; told where there are none."""
    share = shard.share(episodes)
    if not share:
        there = number_of(len(episodes), "episode")
        print(f"warning: --shard {shard.number}/{shard.count} is empty: there are {there}", file=sys.stderr)
    return share


def print_plan(plan: "Plan", dtype: str) -> None:
    """What a build takes on this machine."""
    for camera in plan.cameras:
        print(
            f"{camera.camera}: {number_of(camera.frames, 'frame')}, {camera.different_frames} different, "
            f"{'' if camera.views == 1 else f'{camera.views} views of each, '}"
            f"{camera.frames_to_encode} to encode at {camera.frame_s * 1e3:.1f} ms each"
        )
        for option in camera.options:
            chosen = " <- chosen" if (option.grid, option.dtype) == (camera.shape[1:], dtype) else ""
            gh, gw = option.grid
            print(
                f"  grid {gh:>3}x{gw:<3} {option.dtype}: {option.row_bytes:>10} bytes a frame, "
                f"{option.bytes / 2**20:>10.1f} MiB{chosen}"
            )
    print(f"total: {plan.bytes / 2**20:.1f} MiB, will live in: {plan.tier}, about {plan.seconds:.0f} s")


def plan_over_machines(
    plan: "Plan", episodes: int, machines: int | None, gpus: int | None, device: str, shown: bool
) -> dict[str, float]:
    """The same plan for so many machines, each with so many GPUs: encoders, and what each of them does.

    A share is whole episodes, so no more encoders than episodes have work. The speed is that of this
    machine's `device`, and reading is taken to be as fast on each of them.
    """
    there = (machines or 1) * max(gpus or 0, 1)
    encoders = min(there, max(episodes, 1))
    frames = sum(camera.frames_to_encode for camera in plan.cameras)
    share = -(-frames // encoders)
    seconds = plan.seconds / encoders
    new = sum(camera.frames_to_encode * camera.row_bytes for camera in plan.cameras)
    idle = f" ({there - encoders} more have no episode)" if there > encoders else ""
    if shown:
        print(
            f"on {number_of(machines or 1, 'machine')} with {number_of(gpus or 0, 'GPU')} each: "
            f"{number_of(encoders, 'encoder')} with {number_of(share, 'frame')} each{idle}, about "
            f"{seconds:.0f} s at the speed of this machine's {device}, {new / 2**20 / encoders:.1f} MiB "
            f"written by each; `s2robot features DATA --shard I/{encoders}`, or `--engine ray`"
        )
    return {"encoders": encoders, "frames_each": share, "seconds": seconds}
