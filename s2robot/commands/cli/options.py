"""Options of `train` and `eval`, put together from those of the packages, and registered with Hydra."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.config_store import ConfigStore

from s2robot.config import MISSING, at_least, option, same_option
from s2robot.datasets import FORMATS
from s2robot.datasets.options import DataConfig
from s2robot.encoders import ENCODERS
from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError, unknown_name
from s2robot.evaluation.options import EnvConfig, Filming, RolloutConfig
from s2robot.features.options import FeaturesConfig
from s2robot.policies import POLICIES, PolicyConfig
from s2robot.policies.heads import HEADS
from s2robot.training.options import CheckpointConfig, OptimConfig

MOST_SEED = 2**64 - 1  # that PyTorch takes
ENGINES = ("local", "ray")
HIDDEN = "_"  # how the names of configurations begin that are no choices
PLUGINS = "modules that register encoders, heads, policies or tasks; installed plugins need no name"


@dataclass
class TrainConfig:
    """Options of `s2robot train`."""

    WRITES_TO: ClassVar[tuple[str, ...]] = ("run_dir",)  # what says where it writes

    run_dir: str = option(MISSING, "folder of the run")
    seed: int = option(0, "of the initial weights, the order of windows and all noise")
    resume: bool = option(False, "go on with the training in run_dir")
    overwrite: bool = option(False, "replace the training in run_dir, once this one has a checkpoint")
    init_from: str | None = option(
        None, "run or checkpoint with the weights to start from, of the same policy"
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1")
    wandb: bool = option(False, "log to Weights & Biases as well")
    wandb_project: str = option("s2robot", "project there")
    plugins: list[str] = option([], PLUGINS)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    data: DataConfig = field(default_factory=DataConfig)
    policy: PolicyConfig = MISSING
    optim: OptimConfig = field(default_factory=OptimConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    env: EnvConfig = field(default_factory=EnvConfig)

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        if not self.run_dir.strip():  # Python would take it for the current folder
            raise UserError(
                "run_dir is empty, as from a shell variable that is not set: give a folder, such as "
                "run_dir=runs/my"
            )
        at_least(0, self, "seed")
        if self.seed > MOST_SEED:
            raise UserError(f"seed={self.seed} must be at most {MOST_SEED}")
        self.data.check()
        self.encoder.check()
        self.features.check()
        self.optim.check()
        self.checkpoint.check()
        self.rollout.check()
        self.env.check()
        if not isinstance(self.policy, POLICIES[self.policy.name].options):
            raise UserError(
                f"policy.name={self.policy.name} has other options; say policy={self.policy.name}"
            )
        if self.policy.head not in HEADS:  # its options are checked when the policy is built
            HEADS.missing(self.policy.head)


@dataclass
class EvalConfig:
    """Options of `s2robot eval`."""

    WRITES_TO: ClassVar[tuple[str, ...]] = ("checkpoint", "name")

    checkpoint: str = option(MISSING, "a run, whose last checkpoint is taken, or a checkpoint's folder")
    episodes: int = option(100, "episodes, one a seed")
    seed: int = option(100_000, "reset seed of the first episode")
    video: Any = option(0, "record the first so many episodes, or failures:9 for so many failed ones")
    look: bool = option(False, "note in recorded episodes what the policy looks at, for the report")
    temporal_ensemble: float | None = option(
        None, "ACT's m, such as 0.01: decide after every step, average the chunks"
    )
    policy: dict[str, Any] = option(
        {}, "how the policy acts, e.g. policy.action_steps=2, policy.inference_steps=100"
    )
    name: str = option("default", "of the folder under RUN/eval/")
    overwrite: bool = option(False, "replace another evaluation of that name, once an episode has finished")
    workers: int | None = option(None, "processes that simulate; null: one more than the CPUs, or two a row")
    batch: int | None = option(None, "rows of each decision; null: 1 on a CPU, 8 on a GPU")
    device: str = option("auto", "auto, cpu, cuda, cuda:1")
    backend: str = same_option(EncoderConfig, "backend")
    max_tiles: int | None = same_option(EncoderConfig, "max_tiles")
    engine: str = option("local", "local: this machine; ray: the seeds over the nodes of a cluster")
    address: str | None = option(None, "of the Ray cluster: auto, ray://HOST:PORT; null: one started here")
    weights: str | None = option(None, "of the encoder, where they are not where training found them")
    plugins: list[str] = option([], PLUGINS)
    env: EnvConfig = field(default_factory=EnvConfig)

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        self.env.check()
        at_least(0, self, "seed")
        if self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)
        if self.address is not None and self.engine != "ray":
            raise UserError(f"address={self.address} is that of a Ray cluster: add engine=ray")
        Filming.read(self.video)
        given = [name for name in ("workers", "batch") if getattr(self, name) is not None]
        at_least(1, self, "episodes", *given)
        steps = self.policy.get("action_steps", 1)
        if self.temporal_ensemble is not None and steps != 1:
            raise UserError(
                f"temporal_ensemble decides after every step: policy.action_steps={steps} must be 1"
            )
        if self.name in ("", "..") or Path(self.name).name != self.name:
            raise UserError(f"name={self.name!r} names one folder under <run>/eval/, without slashes")


COMMANDS: dict[str, type[TrainConfig | EvalConfig]] = {"train": TrainConfig, "eval": EvalConfig}


def register(has_file: Callable[[str], bool]) -> None:
    """Give Hydra the options and, as choices of their groups, what is registered.

    `has_file` says whether there is a YAML file, e.g. `policy/act`; it is the choice then, and builds on the
    options by their hidden name: `defaults: [_act]`. Called again, this adds what plugins registered since.
    """
    store = ConfigStore.instance()
    for command, options in COMMANDS.items():
        store.store(name=f"{HIDDEN}{command}", node=options)
    choices: dict[str, dict[str, Any]] = {
        "data": {"auto": DataConfig} | {name: {"format": name} for name in FORMATS},
        "encoder": {name: {"name": name} for name in ENCODERS},
        "env": {"from_checkpoint": EnvConfig},
        "policy": {name: entry.options for name, entry in POLICIES.items()},
    }
    for group, nodes in choices.items():
        for name, node in nodes.items():
            store.store(group=group, name=f"{HIDDEN}{name}", node=node)
            if has_file(f"{group}/{name}"):  # Hydra would take a choice of the same name as its schema
                store.repo[group].pop(f"{name}.yaml", None)
            else:
                store.store(group=group, name=name, node=node)
