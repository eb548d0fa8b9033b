"""Train a policy from Python: the parts that `s2robot train` puts together, without a run folder's log.

s2robot collect --env s2robot/PickCube-v0 --episodes 20 --out demos.hdf5
python examples/train_from_python.py demos.hdf5 checkpoints [steps]
"""

import sys
from dataclasses import asdict
from pathlib import Path

import torch

from s2robot.datasets import open_dataset
from s2robot.datasets.windows import Windows
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import EncoderConfig
from s2robot.evaluation.recorded import recorded_environment
from s2robot.features import FeaturesConfig, build, sample
from s2robot.policies import POLICIES, make_policy
from s2robot.training.batches import batches
from s2robot.training.options import OptimConfig
from s2robot.training.statistics import statistics_of
from s2robot.training.trainer import Trainer
from s2robot.types import Spec

SEED, DEVICE = 0, torch.device("cpu")


def main(data: str, folder: str, steps: int = 300) -> None:
    """Train `bc` on the demonstrations in `data` and save a checkpoint below `folder`."""
    dataset = open_dataset(data)
    episodes, _ = dataset.splits("train", None)
    encoders = CameraEncoders.from_config(EncoderConfig(), DEVICE)
    features = {c: build(dataset, c, encoders, FeaturesConfig(), episodes=episodes) for c in dataset.cameras}

    options = POLICIES["bc"].options(head="spatial_softmax", horizon=8)
    spec = Spec.read(dataset, encoders, list(dataset.cameras), *recorded_environment(dataset))
    policy = make_policy(spec, options, SEED)
    policy.fit(statistics_of(dataset, features, episodes))

    windows = Windows(dataset, features, options, episodes, DEVICE)
    optim = OptimConfig(steps=steps, warmup_steps=min(100, steps))
    description = {  # what `s2robot eval` needs beside the weights
        "spec": spec.to_dict(),
        "config": {"policy": asdict(options), "encoder": asdict(encoders.options)},
        "encoders": encoders.spec_dict(),
        "training_seeds": sorted(dataset.seeds),
        "selection_seeds": [],
    }
    trainer = Trainer(policy, optim, Path(folder), description)
    trainer.samples = sample(dataset, features)
    for batch in batches(windows, optim.batch_size, SEED, range(steps), DEVICE):
        loss, _ = trainer.update(trainer.loss(batch))
        if trainer.step % 50 == 0 or trainer.step == steps:
            print(f"step {trainer.step}: loss {loss:.4f}")
    trainer.save(is_best=True)
    print(f"saved {trainer.folder / 'last'}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
