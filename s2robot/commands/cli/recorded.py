"""The options that a run and its evaluations were made with, from their files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot.commands.cli.composition import Configurations, reason
from s2robot.commands.cli.entry import typed
from s2robot.commands.cli.options import EvalConfig, TrainConfig
from s2robot.errors import UserError
from s2robot.evaluation.options import EnvConfig
from s2robot.evaluation.pages.evaluations import NOT_ACTING
from s2robot.files import read_text
from s2robot.policies import POLICIES
from s2robot.runs.finding import CHECKPOINTS
from s2robot.runs.plain import read_object
from s2robot.runs.steps import name_of


def train_config(run: Path, run_dir: Path) -> TrainConfig:
    """The options of a training, to be written to `run_dir` with all its checkpoints. Raises `UserError`."""
    file = run / "config.yaml"
    try:
        plain: Any = yaml.safe_load(read_text(file))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    policy = plain.get("policy") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(policy, dict):
        raise UserError(f"{file} is no configuration of a training: it has no policy")
    _refuse_references(plain, str(file))
    own = {"run_dir": str(run_dir), "resume": False, "overwrite": False, "wandb": False}
    plugins = ",".join(map(str, plain.get("plugins") or []))
    configurations = Configurations("train", [f"plugins=[{plugins}]"])
    if (name := str(policy.get("name"))) not in POLICIES:
        POLICIES.missing(name)
    composed = configurations.compose([f"policy={name}"])
    OmegaConf.set_struct(composed, False)  # what is declared is checked all the same
    try:
        composed.merge_with(plain, own, {"checkpoint": {"keep": "all"}})
        options: TrainConfig = typed(composed)
    except OmegaConfBaseException as error:
        raise UserError(f"{file}: {reason(error)}") from error
    return options


def eval_config(folder: Path, run: Path, step: int) -> EvalConfig | None:
    """The options of an evaluation, for the checkpoint of this step of `run`, which may be still to come.

    None where they cannot be told from what is recorded.
    """
    plan = read_object(folder / "seeds.json")
    identity, seeds, env_kwargs = plan["identity"], plan.get("seeds"), plan.get("env_kwargs")
    if not (isinstance(env_kwargs, dict) and isinstance(seeds, list) and seeds):
        return None
    if type(seeds[0]) is not int or seeds != [*range(seeds[0], seeds[0] + len(seeds))]:
        return None
    _refuse_references(plan, str(folder / "seeds.json"))
    return EvalConfig(
        checkpoint=str(run / CHECKPOINTS / name_of(step)),
        episodes=len(seeds),
        seed=seeds[0],
        name=folder.name,
        batch=plan.get("batch"),
        device=identity.get("device", "auto"),
        temporal_ensemble=identity.get("temporal_ensemble"),
        policy={key: value for key, value in identity.items() if key not in NOT_ACTING},
        env=EnvConfig(id=plan.get("env_id"), kwargs=env_kwargs, keys=identity.get("keys") or {}),
    )


def _refuse_references(plain: Any, where: str) -> None:
    """Raise `UserError` for a text that OmegaConf would resolve, such as `${oc.env:HOME}`."""
    if isinstance(plain, Mapping):
        plain = [*plain, *plain.values()]
    if isinstance(plain, list):
        for one in plain:
            _refuse_references(one, where)
    elif isinstance(plain, str) and "${" in plain:
        raise UserError(f"{where} holds the reference {plain[:80]!r}, which is not resolved")
