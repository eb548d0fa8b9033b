"""Every option there is, with its default; the YAML files in configs/ choose among them.

One dataclass for each config group. Hydra composes YAML and command line into these (unknown keys
and wrong types are refused) and the program only ever sees the dataclasses.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from inspect import signature
from operator import getitem
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from s2robot.errors import UserError, unknown_name
from s2robot.policies import POLICIES, PolicyConfig
from s2robot.policies.heads import HEADS

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass
class EncoderConfig:
    """The frozen eyes: which encoder, looking at which image sizes (S2) of each camera."""

    name: str = "lite0"
    weights: str | None = None  # a checkpoint file; None: the encoder's own
    sizes: list[int] = field(default_factory=lambda: [224, 448])
    camera_sizes: dict[str, list[int]] = field(default_factory=dict)  # cameras with sizes of their own
    output_grid: list[int] | None = None  # cells (gh, gw) that all scales are pooled to; None: the first's
    camera_grids: dict[str, list[int]] = field(default_factory=dict)  # cameras with grids of their own
    merge: str = "concat"  # of the scales' channels; or: add
    antialias: bool = True  # when frames are resized
    layer: int | None = None  # block or stage whose map is taken; None: the last at a stride of 16
    precision: str = "float32"  # of the arithmetic; or: float16, bfloat16
    backend: str = "auto"  # auto (measured once), torch, openvino, compile


@dataclass
class FeaturesConfig:
    """How the features are stored, and where they live while training."""

    dtype: str = "float16"  # or: float32
    views: int = 1  # of each frame, one drawn for each sample in training; 1: only the frame as it is
    view_shift: float = 0.05  # of the other views: at most, of the height and of the width
    view_colour: float = 0.2  # of the other views: brightness, contrast, saturation times 1 -+ this
    tier: str = "auto"  # device, ram, disk; auto: the fastest that has room


@dataclass
class DataConfig:
    """The demonstrations and what of them the policy may see. Privileged state never is."""

    path: str = MISSING
    cameras: list[str] | None = None  # None: every camera in the file
    proprio: list[str] = field(
        default_factory=lambda: ["robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"]
    )
    train: str | None = "train"  # filter keys (`mask/<key>`)
    valid: str | None = "valid"


@dataclass
class OptimConfig:
    """The training loop."""

    steps: int = 3000
    batch_size: int = 64  # of all processes together
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    gradient_clip: float = 10.0  # largest norm
    precision: str = "fp32"  # of forward and backward: fp32, bf16, fp16 (loss scaled)
    ema_max_decay: float = 0.9999
    log_every: int = 50
    valid_every: int = 500
    checkpoint_every: int = 500

    def check(self) -> None:
        """Raise `UserError` for a number that cannot be."""
        _at_least(1, self, "batch_size", "log_every", "valid_every", "checkpoint_every", group="optim.")
        _at_least(0, self, "steps", "warmup_steps", "learning_rate", "weight_decay", group="optim.")
        if self.precision not in PRECISIONS:
            raise unknown_name("optim.precision", self.precision, PRECISIONS)


@dataclass
class RolloutConfig:
    """Rollouts while training: their success rate chooses the checkpoint `best`."""

    every: int = 0  # steps; 0: none, and the action error in validation chooses
    episodes: int = 20
    seed: int = 50_000  # reset seed of the first one; eval.py's are others

    def check(self) -> None:
        """Raise `UserError` for a number that cannot be."""
        _at_least(0, self, "every", "seed", group="rollout.")
        _at_least(1, self, "episodes", group="rollout.")


@dataclass
class TrainConfig:
    """What `train.py` is told."""

    run_dir: str = MISSING
    seed: int = 0
    resume: bool = False
    device: str = "auto"  # auto, cpu, cuda, cuda:1
    wandb: bool = False  # log to Weights & Biases as well
    wandb_project: str = "s2robot"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    data: DataConfig = field(default_factory=DataConfig)
    policy: PolicyConfig = MISSING
    optim: OptimConfig = field(default_factory=OptimConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        _at_least(0, self, "seed")
        self.optim.check()
        self.rollout.check()
        if not isinstance(self.policy, POLICIES[self.policy.name][1]):
            raise UserError(
                f"policy.name={self.policy.name} has other options; say policy={self.policy.name}"
            )
        known = signature(HEADS[self.policy.head]).parameters.keys() - {"shape"}
        for name in self.policy.head_args:
            if name not in known:
                raise unknown_name(f"option in policy.head_args of {self.policy.head}", name, known)


@dataclass
class EnvConfig:
    """The environment to evaluate in; None takes it from the checkpoint."""

    id: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class EvalConfig:
    """What `eval.py` is told."""

    checkpoint: str = MISSING
    episodes: int = 100
    seed: int = 100_000  # reset seed of the first episode
    video: int = 0  # record the first so many episodes
    action_steps: int | None = None  # to execute of each chunk (default: as the policy was trained with)
    temporal_ensemble: float | None = None  # ACT's m, such as 0.01: ask after every step, average the chunks
    policy: dict[str, Any] = field(default_factory=dict)  # how it acts, e.g. policy.inference_steps=100
    name: str = "default"  # of the folder under <run>/eval/
    workers: int | None = None  # processes that simulate (default: one more than the CPUs)
    batch: int | None = None  # rows of each decision (default: 1 on a CPU, half the workers on a GPU)
    device: str = "auto"
    backend: str = "auto"
    weights: str | None = None  # of the encoder, where they are not where training found them
    env: EnvConfig = field(default_factory=EnvConfig)

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        _at_least(0, self, "seed", "video")
        given = [name for name in ("workers", "batch") if getattr(self, name) is not None]
        _at_least(1, self, "episodes", *given)
        if self.temporal_ensemble is not None and self.action_steps not in (None, 1):
            raise UserError(
                f"temporal_ensemble asks after every step; action_steps={self.action_steps} cannot be as well"
            )
        if self.name in ("", "..") or Path(self.name).name != self.name:
            raise UserError(f"name={self.name!r} names one folder under <run>/eval/, without slashes")


def _at_least(least: int, config: object, *names: str, group: str = "") -> None:
    for name in names:
        if not getattr(config, name) >= least:  # also for NaN
            raise UserError(f"{group}{name}={getattr(config, name)} must be at least {least}")


def plain(config: TrainConfig | EvalConfig, without: Sequence[str] = ()) -> dict[str, Any]:
    """The options as plain data, but those of these dotted names."""
    options = asdict(config)
    for name in without:
        *groups, last = name.split(".")
        del reduce(getitem, groups, options)[last]
    return options


def register() -> None:
    """Tell Hydra about the dataclasses; the YAML files name them as `<name>_schema`."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="eval_schema", node=EvalConfig)
    store.store(group="encoder", name="encoder_schema", node=EncoderConfig)
    store.store(group="data", name="data_schema", node=DataConfig)
    store.store(group="env", name="env_schema", node=EnvConfig)
    for name, (_, config) in POLICIES.items():
        store.store(group="policy", name=f"{name}_schema", node=config)
