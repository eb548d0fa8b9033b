"""Compute the features of a dataset's frames once, or plan, verify and check them."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2robot.commands.cli.parser import Parser, comma_separated, numbers
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.device import choose_device
from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError, unknown_name
from s2robot.features.builder import build_with_report
from s2robot.features.camera_store import CameraStore
from s2robot.features.check import sample, verify
from s2robot.features.options import FeaturesConfig
from s2robot.features.plan import Plan, make_plan
from s2robot.features.store import FeatureStore
from s2robot.features.table import FeatureTable
from s2robot.features.tiers import choose_tier


@dataclass(frozen=True)
class Job:
    """A dataset, the way of encoding it, and the command line that asked."""

    source: Dataset
    cameras: list[str]
    encoders: CameraEncoders
    config: FeaturesConfig
    device: torch.device
    asked: argparse.Namespace


@dataclass
class Summary:
    """What every form of the command ends with; `details` are its own."""

    frames_encoded: int
    frames_found: int
    bytes: int
    seconds: float
    details: dict[str, Any]


def cli(words: Sequence[str]) -> None:
    """`s2robot features`; its last line sums up, and with `--json` it is the only one."""
    arguments = _parser().parse_with_plugins(words)
    start = time.monotonic()
    job = _job(arguments)
    if arguments.plan:
        summary = _plan(job)
    else:
        guard = arguments.verify or arguments.check is not None
        summary = _guard(job) if guard else _build(job)
        summary.seconds = time.monotonic() - start
    tier = choose_tier(summary.bytes, job.device)
    if arguments.json:
        plain = asdict(summary)
        print(json.dumps(plain | plain.pop("details") | {"tier": tier}))
        return
    print(
        f"{summary.frames_encoded} frames {'to encode' if arguments.plan else 'encoded'}, "
        f"{summary.frames_found} found, {summary.bytes} bytes ({tier} in training), {summary.seconds:.1f} s"
    )


def _parser() -> Parser:
    parser = Parser(__name__, __doc__)
    add = parser.add_argument
    add("data", type=Path, help="robomimic HDF5 file")
    add("--encoder", default="lite0", help="a name that `s2robot encoders` lists (default: lite0)")
    add("--sizes", type=numbers, default=[224, 448], help="of S2 (default: 224,448)")
    add("--camera-sizes", nargs="+", default=[], metavar="CAMERA=N,N", help="sizes of its own")
    add("--cameras", type=comma_separated, metavar="NAME,...", help="names (default: all)")
    add("--grid", type=numbers, metavar="GH,GW", help="cells (default: of the first size)")
    add("--dtype", default="float16", help="float16 (default) or float32")
    add("--views", type=int, default=1, help="of each frame, for training (default: 1)")
    add("--view-shift", type=float, default=0.05, help="at most, of height and width")
    add("--view-colour", type=float, default=0.2, help="brightness etc. times 1 -+ this")
    add("--weights", type=Path, help="a file instead of the encoder's own weights")
    add("--backend", default="auto", help="auto, torch, openvino or compile")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--root", type=Path, help="folder of the stores (default: in the cache)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--plan", action="store_true", help="say what it would take, build nothing")
    form.add_argument("--verify", action="store_true", help="read what is stored and compare checksums")
    form.add_argument("--check", type=int, metavar="N", help="encode N random frames again and compare")
    add("--tolerance", type=float, default=2e-3, help="of --check, relative (default 2e-3)")
    add("--seed", type=int, default=0, help="of --check")
    add("--json", action="store_true", help="one JSON object and nothing else")
    return parser


def _job(asked: argparse.Namespace) -> Job:
    source = open_dataset(asked.data, cameras=asked.cameras, proprio=[])
    device = choose_device(asked.device)
    own_sizes = camera_sizes(asked.camera_sizes)
    cameras = list(source.cameras)
    if unknown := sorted({*cameras, *own_sizes} - set(source.cameras)):
        raise unknown_name(f"camera of {asked.data}", unknown[0], source.cameras)
    if asked.grid is not None and len(asked.grid) != 2:
        raise UserError(f"--grid is rows and columns of cells, e.g. 28,28, not {asked.grid}")
    encoders = CameraEncoders(
        asked.encoder,
        asked.sizes,
        own_sizes,
        weights=asked.weights,
        backend=asked.backend,
        device=device,
        output_grid=asked.grid,
    )
    config = FeaturesConfig(
        dtype=asked.dtype,
        views=asked.views,
        view_shift=asked.view_shift,
        view_colour=asked.view_colour,
        root=asked.root,
    )
    return Job(source, cameras, encoders, config, device, asked)


def _build(job: Job) -> Summary:
    asked = job.asked
    reports = {
        camera: build_with_report(job.source, camera, job.encoders, job.config, not asked.json)[1]
        for camera in job.cameras
    }
    return Summary(
        frames_encoded=sum(report.frames_encoded for report in reports.values()),
        frames_found=sum(report.frames_found for report in reports.values()),
        bytes=sum(report.bytes for report in reports.values()),
        seconds=0.0,
        details={"folders": {camera: str(report.folder) for camera, report in reports.items()}},
    )


def _plan(job: Job) -> Summary:
    plan = make_plan(job.source, job.cameras, job.encoders, job.config, job.device)
    if not job.asked.json:
        _print_plan(plan, job.asked.dtype)
    new = sum(camera.frames_to_encode for camera in plan.cameras)
    found = sum(camera.frames * camera.views for camera in plan.cameras) - new
    return Summary(new, found, plan.bytes, plan.seconds, {"plan": asdict(plan)})


def _guard(job: Job) -> Summary:
    """`--verify` (checksums) or `--check` (encoding again); raises UserError for what does not hold."""
    opened = {c: CameraStore(job.source, c, job.encoders, job.config) for c in job.cameras}
    tables = {camera: one.table() for camera, one in opened.items()}
    details: dict[str, Any]
    if job.asked.verify:
        details = {
            "verified_rows": {c: _verify(job.source, c, opened[c].store, tables[c]) for c in job.cameras}
        }
    else:
        samples = sample(job.source, tables, job.asked.check, job.asked.seed)
        details = {"largest_difference": verify(job.encoders, samples, job.asked.tolerance)}
    if not job.asked.json:
        for what, values in details.items():
            for camera, value in values.items():
                print(f"{camera}: {what.replace('_', ' ')} {value:.3g}")
    found = sum(table.rows.numel() for table in tables.values())
    return Summary(0, found, sum(table.nbytes for table in tables.values()), 0.0, details)


def _verify(source: Dataset, camera: str, store: FeatureStore, table: FeatureTable) -> int:
    """The number of rows whose checksums hold; UserError naming the first frame where one does not."""
    used = table.used_rows()
    damaged = store.damaged_rows(used.tolist())
    if damaged:
        frame = int(np.isin(table.rows.numpy(), damaged).any(1).argmax())
        episode = int(np.searchsorted(table.offsets, frame, side="right")) - 1
        raise UserError(
            f"feature store {store.folder} is damaged: {len(damaged)} of {len(used)} rows of {camera} have "
            f"wrong checksums, first {source.episodes[episode]}, frame {frame - table.offsets[episode]}; "
            f"delete the folder to encode them again"
        )
    return len(used)


def _print_plan(plan: Plan, dtype: str) -> None:
    for camera in plan.cameras:
        print(
            f"{camera.camera}: {camera.frames} frames, {camera.different_frames} different, "
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


def camera_sizes(words: Sequence[str]) -> dict[str, list[int]]:
    """`wrist=112,224` for each camera with sizes of its own; UserError for anything else."""
    sizes = {}
    for word in words:
        camera, equals, numbers = word.partition("=")
        if not (camera and equals and numbers.replace(",", "").isdigit()):
            raise UserError(f"--camera-sizes are given as CAMERA=224,448, not {word!r}")
        sizes[camera] = [int(number) for number in numbers.split(",") if number]
    return sizes
