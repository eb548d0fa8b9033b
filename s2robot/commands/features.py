"""Compute the features of a dataset's frames once, or plan, verify and check them; merge and clean stores.

NAME=VALUE are options of encoder, features and data as `s2robot train` takes them, and composed in the same
way, so that what is planned, built and checked is what a training with these options uses. --encoder,
--sizes and so on are short forms of some of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot import plugins
from s2robot.commands.cli.composition import Configurations, reason
from s2robot.commands.cli.devices import build_on_devices
from s2robot.commands.cli.entry import typed
from s2robot.commands.cli.machines import (
    check_machine_options,
    machine_options,
    plan_over_machines,
    print_plan,
    share_of,
)
from s2robot.commands.cli.options import TrainConfig
from s2robot.commands.cli.overrides import check_overrides
from s2robot.commands.cli.parser import Parser, camera_sizes, comma_separated, numbers
from s2robot.commands.cli.stores import check_store_options, keep_stores, store_options
from s2robot.errors import UserError, number_of

if TYPE_CHECKING:
    import torch

    from s2robot.datasets.dataset import Dataset
    from s2robot.encoders.cameras import CameraEncoders
    from s2robot.features.camera_store import CameraStore
    from s2robot.features.options import FeaturesConfig

WORDS = ("encoder", "features", "data", "experiment", "plugins")  # how a NAME may begin
# Short form -> the option that it stands for, and how argparse reads it.
SHORT_FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "encoder": ("encoder.name", {}),
    "sizes": ("encoder.sizes", {"type": numbers, "metavar": "N,N"}),
    "camera-sizes": ("encoder.camera_sizes", {"nargs": "+", "metavar": "CAMERA=N,N"}),
    "grid": ("encoder.output_grid", {"type": numbers, "metavar": "GH,GW"}),
    "weights": ("encoder.weights", {"metavar": "FILE"}),
    "backend": ("encoder.backend", {}),
    "cameras": ("data.cameras", {"type": comma_separated, "metavar": "NAME,..."}),
    "dtype": ("features.dtype", {}),
    "views": ("features.views", {"type": int, "metavar": "N"}),
    "view-shift": ("features.view_shift", {"type": float}),
    "view-colour": ("features.view_colour", {"type": float}),
    "root": ("features.root", {"metavar": "FOLDER"}),
}


@dataclass(frozen=True)
class Job:
    """A dataset, the episodes and cameras of it that a training uses, and how they are encoded and stored."""

    source: Dataset
    episodes: list[int]
    encoders: CameraEncoders
    config: FeaturesConfig
    device: torch.device
    quiet: bool  # no text beside the JSON object
    share: str = "build"  # what is built; builds of one share wait for each other

    @property
    def cameras(self) -> list[str]:
        return list(self.source.cameras)


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
    given = _parser().parse_with_plugins(words)
    if given.merge or given.gc:
        keep_stores(given)
        return
    check_machine_options(given)
    check_store_options(given)
    options = _options(given)

    from s2robot.features.shards import Shard
    from s2robot.features.tiers import choose_tier

    start = time.monotonic()
    shard = None if given.shard is None else Shard.of(given.shard)
    on_devices = build_on_devices(words, given) if given.devices else 0  # here all is found then
    job = _job(options, given.device, quiet=given.json and not given.progress)
    if shard is not None:
        job = replace(job, episodes=share_of(shard, job.episodes), share=shard.name)
    if given.plan:
        summary = _plan(job, given.machines, given.gpus)
    else:
        if given.verify:
            summary = _verify(job)
        elif given.check is not None:
            summary = _check(job, given.check, given.seed, given.tolerance)
        elif given.engine == "ray":
            summary = _build_over_nodes(job, options, given.address)
        else:
            summary = _build(job)
        summary.seconds = time.monotonic() - start
        summary.frames_encoded += on_devices
        summary.frames_found -= on_devices
    tier = choose_tier(summary.bytes, job.device, job.config.tier)
    if given.json:
        plain = asdict(summary)
        print(json.dumps(plain | plain.pop("details") | {"tier": tier}))
        return
    print(
        f"{number_of(summary.frames_encoded, 'frame')} {'to encode' if given.plan else 'encoded'}, "
        f"{summary.frames_found} found, {summary.bytes} bytes ({tier} in training), {summary.seconds:.1f} s"
    )


def _parser() -> Parser:
    parser = Parser(__name__, __doc__)
    add = parser.add_argument
    add("data", type=Path, nargs="?", help="data.path: a file, a folder or a glob in quotes")
    add("words", nargs="*", metavar="NAME=VALUE", help="e.g. encoder.tile=224 features.views=4")
    for flag, (option, how) in SHORT_FORMS.items():
        add(f"--{flag}", help=f"{option}: {_meaning(option)}".replace("%", "%%"), **how)
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    add(
        "--devices", metavar="NAME,...", help="an encoding process on each, e.g. cuda:0,cuda:1; all: all GPUs"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--plan", action="store_true", help="say what it would take, build nothing")
    form.add_argument("--verify", action="store_true", help="read what is stored and compare checksums")
    form.add_argument("--check", type=int, metavar="N", help="encode N random frames again and compare")
    store_options(form, add)
    add("--tolerance", type=float, help="of --check, relative (default: that of the precision)")
    add("--seed", type=int, default=0, help="of --check")
    machine_options(add)
    add("--json", action="store_true", help="one JSON object, at the end, and nothing else")
    return parser


def _meaning(option: str) -> str:
    group, _, name = option.partition(".")
    options: Any = TrainConfig.__dataclass_fields__[group].default_factory
    return options.__dataclass_fields__[name].metadata["meaning"]


def _options(given: argparse.Namespace) -> TrainConfig:
    """What `train` would be given by these words and short forms. Raises `UserError`."""
    behind = [word for word in given.camera_sizes or () if word.startswith(tuple(f"{w}." for w in WORDS))]
    words = [*given.words, *behind]  # --camera-sizes takes all words that follow it
    configurations = Configurations("train", words)
    named = [override.key_or_group for override in configurations.parse(words)]
    for name, word in zip(named, words, strict=True):
        if name.partition(".")[0] not in WORDS:
            raise UserError(f"{word!r}: `s2robot features` takes options of {', '.join(WORDS)} alone")
    composed = configurations.compose(check_overrides(configurations, words))
    # nothing is written to a run folder
    chosen: dict[str, Any] = {"data.path": str(given.data), "run_dir": "nowhere"}
    for flag, (option, _) in SHORT_FORMS.items():
        if (value := getattr(given, flag.replace("-", "_"))) is not None:
            if flag == "camera-sizes":
                value = camera_sizes([word for word in value if word not in behind])
            chosen[option] = value
            if flag == "grid" and len(value) != 2:
                raise UserError(f"--grid is rows and columns of cells, e.g. 28,28, not {value}")
    for option, value in chosen.items():
        if twice := [name for name in named if f"{name}.".startswith(f"{option}.")]:
            raise UserError(f"{option} is given twice; leave out {twice[0]}=...")
        try:
            OmegaConf.update(composed, option, value, merge=False)
        except OmegaConfBaseException as error:
            raise UserError(reason(error)) from error
    options: TrainConfig = typed(composed)
    return options


def _job(options: TrainConfig, device_name: str, quiet: bool) -> Job:
    from s2robot.cluster.features import dataset_of_frames
    from s2robot.device import choose_device
    from s2robot.encoders.cameras import CameraEncoders

    data = options.data
    source = dataset_of_frames(data)
    for warning in () if quiet else source.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    episodes = sorted({*reduce(list.__add__, source.splits(data.train, data.valid))})
    if not episodes:
        raise UserError(f"{data.path} has no demonstrations under data.train={data.train}")
    device = choose_device(device_name)
    encoders = CameraEncoders.from_config(options.encoder, device)
    encoders.check_cameras(source.cameras)
    return Job(source, episodes, encoders, options.features, device, quiet)


def _build_over_nodes(job: Job, options: TrainConfig, address: str | None) -> Summary:
    from s2robot.cluster.connection import connected
    from s2robot.cluster.features import Recipe, build_over_nodes

    stores = _stored(job)
    with connected(address) as ray:
        recipe = Recipe(options.data, options.encoder, job.config, job.device.type, plugins.loaded())
        encoded = build_over_nodes(ray, list(stores.values()), recipe, not job.quiet)
    tables = [one.table() for one in stores.values()]
    return Summary(
        frames_encoded=encoded,
        frames_found=max(0, sum(len(table.frames) * table.views for table in tables) - encoded),
        bytes=sum(table.nbytes for table in tables),
        seconds=0.0,
        details={"folders": {camera: str(one.store.folder) for camera, one in stores.items()}},
    )


def _build(job: Job) -> Summary:
    from s2robot.features.builder import build_with_report

    reports = {
        camera: build_with_report(
            job.source, camera, job.encoders, job.config, not job.quiet, job.episodes, job.share
        )[1]
        for camera in job.cameras
    }
    return Summary(
        frames_encoded=sum(report.frames_encoded for report in reports.values()),
        frames_found=sum(report.frames_found for report in reports.values()),
        bytes=sum(report.bytes for report in reports.values()),
        seconds=0.0,
        details={"folders": {camera: str(report.folder) for camera, report in reports.items()}},
    )


def _plan(job: Job, machines: int | None, gpus: int | None) -> Summary:
    from s2robot.features.plan import make_plan

    plan = make_plan(job.source, job.cameras, job.encoders, job.config, job.device, job.episodes)
    if not job.quiet:
        print_plan(plan, job.config.dtype)
    new = sum(camera.frames_to_encode for camera in plan.cameras)
    found = sum(camera.frames * camera.views for camera in plan.cameras) - new
    details: dict[str, Any] = {"plan": asdict(plan)}
    if machines is not None or gpus is not None:
        details["machines"] = plan_over_machines(
            plan, len(job.episodes), machines, gpus, job.device.type, not job.quiet
        )
    return Summary(new, found, plan.bytes, plan.seconds, details)


def _verify(job: Job) -> Summary:
    """Compare the checksums of what is stored; UserError naming the first frame where one does not hold."""
    from s2robot.features.check import verify_rows

    stored = _stored(job)
    return _guarded(job, stored, "verified_rows", {c: verify_rows(one) for c, one in stored.items()})


def _check(job: Job, frames: int, seed: int, tolerance: float | None) -> Summary:
    """Encode some frames again; UserError if their features are not those that are stored."""
    from s2robot.features.check import sample, verify

    stored = _stored(job)
    samples = sample(job.source, {camera: one.table() for camera, one in stored.items()}, frames, seed)
    differences = verify(job.encoders, samples, tolerance)
    return _guarded(job, stored, "largest_difference", differences)


def _stored(job: Job) -> dict[str, CameraStore]:
    from s2robot.features.camera_store import CameraStore

    return {c: CameraStore(job.source, c, job.encoders, job.config, job.episodes) for c in job.cameras}


def _guarded(job: Job, stored: dict[str, CameraStore], what: str, values: dict[str, Any]) -> Summary:
    if not job.quiet:
        for camera, value in values.items():
            print(f"{camera}: {what.replace('_', ' ')} {value:.3g}")
    tables = [one.table() for one in stored.values()]
    found = sum(len(table.frames) * table.views for table in tables)
    return Summary(0, found, sum(table.nbytes for table in tables), 0.0, {what: values})
