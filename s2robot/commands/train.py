"""Train a policy: demonstrations -> frozen features (computed once) -> policy -> checkpoints.

s2robot train experiment=demo
s2robot train data.path=my.hdf5 run_dir=runs/my policy=diffusion_unet encoder.sizes=[224,448]
s2robot train -m policy=bc,diffusion_unet data.path=my.hdf5 run_dir='runs/${policy.name}'
torchrun --nproc-per-node 4 -m s2robot train policy=flow data.path=my.hdf5 run_dir=runs/flow
"""

import hashlib
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from s2robot import parallel
from s2robot.commands.cli.options import TrainConfig
from s2robot.commands.cli.sweeps import in_sweep, words_of_job
from s2robot.config import plain
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.windows import Windows
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.evaluation.mapping import observation_mapping
from s2robot.evaluation.offline import OfflineValidation
from s2robot.evaluation.recorded import check_recorded_environment, recorded_environment, why_no_rollouts
from s2robot.evaluation.selection import selection_seeds, success_rate
from s2robot.evaluation.sizes_file import sizes, write_sizes
from s2robot.evaluation.validation_file import NAME as VALIDATION
from s2robot.evaluation.validation_file import write_validation
from s2robot.features import build, place, sample
from s2robot.policies import make_policy
from s2robot.policies.heads import check_head
from s2robot.rollouts.gym_api import endless
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.runs import checkpoint
from s2robot.runs import folder as run_folder
from s2robot.runs.finding import CHECKPOINTS, find_checkpoint
from s2robot.runs.metrics import check_wandb, open_log
from s2robot.runs.record import recorded
from s2robot.training.batches import gathered_on
from s2robot.training.loop import train
from s2robot.training.precision import why_slow
from s2robot.training.statistics import statistics_of
from s2robot.training.trainer import Trainer
from s2robot.types import Spec

# options that a resumed training may change
NOT_DECISIVE = (
    "run_dir",
    "resume",
    "overwrite",
    "init_from",
    "checkpoint",
    "plugins",
    "device",
    "features.tier",
    "features.readers",
    "features.root",
    "encoder.max_tiles",
    "optim.graph",
    "wandb",
    "wandb_project",
)


@dataclass
class Prepared:
    """What a training needs, checked, before anything is encoded or written."""

    config: TrainConfig  # with the encoder's sizes as numbers
    device: torch.device
    demos: Dataset
    episodes: tuple[list[int], list[int]]  # to train and to validate on
    encoders: CameraEncoders
    mapping: ObservationMapping
    seeds: list[int]  # of the rollouts that choose a checkpoint
    trainer: Trainer


def main(config: TrainConfig, until: int | None = None) -> None:
    """Train; `until` ends it after that step, with the schedule of all of them."""
    run_dir, device = Path(config.run_dir), parallel.join(config.device)
    skips = in_sweep() and not config.overwrite  # jobs that are finished
    run_folder.check(run_dir, config.resume or skips, config.overwrite)
    check_wandb(config.wandb)
    keep_freed_memory()
    prepared = prepare(config, device)
    prepared.trainer.until = until
    if skips and prepared.trainer.is_finished():
        if parallel.is_main():
            print(f"{run_dir}: finished with these settings, skipped")
        return
    with run_folder.opened(run_dir, config.resume, config.overwrite) as earlier:
        prepared.trainer.saved = earlier.finish
        run(prepared, run_dir)
    if prepared.trainer.stopped_by is not None:  # the other jobs of a sweep are not started
        sys.exit(128 + prepared.trainer.stopped_by)


def prepare(config: TrainConfig, device: torch.device) -> Prepared:
    """Open the data, build the networks and compare them with each other. Raises `UserError`."""
    demos = open_dataset(config.data)
    warnings = *demos.warnings, why_slow(config.optim.precision, device)
    for warning in filter(None, warnings) if parallel.is_main() else ():
        print(f"warning: {warning}")
    train_episodes, valid_episodes = demos.splits(config.data.train, config.data.valid)
    if not train_episodes:
        raise UserError(f"{config.data.path} has no demonstrations under data.train={config.data.train}")
    demos.frame_weights(train_episodes)  # a wrong data.weights is refused before anything is encoded

    encoders = CameraEncoders.from_config(config.encoder, device)
    config = replace(config, encoder=encoders.options)
    encoders.check_cameras(demos.cameras)
    check_head(config.policy.head, encoders.name, encoders.base.spec.prefix_tokens)
    spec = Spec.read(demos, encoders, list(demos.cameras), *recorded_environment(demos, config.env))
    mapping = observation_mapping(spec, spec.env_id, config.env)
    if reason := why_no_rollouts(demos, spec.env_id, config.env):  # demonstrations may come from elsewhere
        if parallel.is_main():
            print(f"no rollouts with this dataset: {reason}")
    else:
        spec = check_recorded_environment(demos, spec, mapping)
        lines = mapping.told, endless(spec.env_id, spec.env_kwargs)
        for line in filter(None, lines) if config.rollout.every and parallel.is_main() else ():
            print(line)
    seeds = selection_seeds(config.rollout, spec, demos.seeds)

    policy = make_policy(spec, config.policy, config.seed)
    if config.init_from and not (config.resume and run_folder.has_checkpoint(Path(config.run_dir))):
        checkpoint.start_from(find_checkpoint(config.init_from), policy, config.policy.name)
    policy.to(device)
    description = {
        "spec": spec.to_dict(),
        "config": plain(config, without=NOT_DECISIVE),
        "encoders": encoders.spec_dict(),
        "data_sha256": numbers_sha256(demos),  # the same to resume
        "training_seeds": sorted(demos.seeds),
        "selection_seeds": seeds,
    }
    trainer = Trainer(policy, config.optim, Path(config.run_dir) / CHECKPOINTS, description)
    trainer.keep = config.checkpoint.count
    return Prepared(
        config, device, demos, (train_episodes, valid_episodes), encoders, mapping, seeds, trainer
    )


def numbers_sha256(demos: Dataset) -> str:
    """The hash of all actions and proprioception and of the episodes' lengths."""
    digest = hashlib.sha256(repr(list(demos.lengths)).encode())
    for name, values in [("actions", demos.actions()), *sorted(demos.proprioception().items())]:
        digest.update(f"{name} {values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


def run(prepared: Prepared, run_dir: Path) -> None:
    """Encode what is missing, train, validate."""
    config, device, demos, trainer = prepared.config, prepared.device, prepared.demos, prepared.trainer
    policy, (train_episodes, valid_episodes) = trainer.policy, prepared.episodes
    if config.resume and trainer.resume():
        steps = config.optim.steps
        done = trainer.step >= steps
        if parallel.is_main():
            ended, going_on = f"is trained already, to step {trainer.step}", f"goes on at step {trainer.step}"
            print(f"{run_dir}: {ended if done else f'{going_on} of {steps}'}")
        if done and (run_dir / VALIDATION).exists():
            return  # what is recorded stays that of the training

    begun = time.perf_counter()
    with parallel.main_first():
        used, shown = [*train_episodes, *valid_episodes], parallel.is_main()
        stored = {c: build(demos, c, prepared.encoders, config.features, shown, used) for c in demos.cameras}
        features = place(stored, device, config.features.tier, parallel.count())
    trainer.show(sample(demos, features))
    run_folder.start(run_dir, plain(config), config.resume, time.perf_counter() - begun)
    if parallel.is_main():
        used_for = {"train": len(train_episodes), "valid": len(valid_episodes)}
        write_sizes(run_dir, sizes(policy, prepared.encoders, used_for))
    policy.fit(statistics_of(demos, features, train_episodes))
    weights = demos.frame_weights(train_episodes)
    at = gathered_on(features.values(), device)
    windows, valid = (
        Windows(demos, features, config.policy, episodes, at, weights) for episodes in prepared.episodes
    )
    offline = OfflineValidation(policy, demos, features, valid_episodes, train_episodes, device, at)

    def validate_offline() -> None:
        write_validation(run_dir, offline.run(trainer.step))

    replay = validate_offline if offline.is_cheap else None
    rollouts = (policy, prepared.encoders, device, prepared.seeds, prepared.mapping)
    evaluate = success_rate(*rollouts) if prepared.seeds else None
    words = words_of_job(config.run_dir)
    with recorded(run_dir, str(device), words, lambda: (trainer.step, stopped_by(trainer))):
        with (
            run_folder.stage(run_dir, "train"),
            open_log(
                run_dir, trainer.step, plain(config), config.wandb_project if config.wandb else None
            ) as log,
        ):
            every = config.rollout.every
            finished = train(trainer, windows, valid, demos, config.seed, log, evaluate, every, replay)
        if finished and parallel.is_main():
            with run_folder.stage(run_dir, "validate"), trainer.averaged_weights():
                found = offline.run(trainer.step)
            print(f"{found.summary()}: {write_validation(run_dir, found)}")
    if parallel.is_main():
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in trainer.metrics.items())
        stopped = f"stopped{' by ' * bool(by := stopped_by(trainer))}{by}"
        outcome = "trained to" if finished else f"{stopped}, saved at"
        print(f"{outcome} step {trainer.step} ({numbers or 'not validated'}): {trainer.folder / 'last'}")


def stopped_by(trainer: Trainer) -> str:
    """The name of the signal that stopped a training, "" if none did."""
    return "" if trainer.stopped_by is None else trainer.stopped_by.name
