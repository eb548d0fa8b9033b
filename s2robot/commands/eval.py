"""Evaluate a checkpoint in simulation: seeds -> episodes -> success rate with its interval, and videos.

s2robot eval checkpoint=runs/demo episodes=100 video=9
s2robot eval checkpoint=runs/demo episodes=100 video=failures:9 look=true
s2robot eval checkpoint=runs/act/checkpoints/best temporal_ensemble=0.01
s2robot eval checkpoint=runs/flow policy.inference_steps=10 name=ten_steps
s2robot eval checkpoint=runs/flow engine=ray address=auto episodes=1000
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from s2robot import plugins
from s2robot.cluster.connection import connected
from s2robot.cluster.episodes import PlayedOverNodes, Recipe, make_agent
from s2robot.commands.cli.options import EvalConfig
from s2robot.config import as_declared
from s2robot.device import choose_device
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.errors import UserError
from s2robot.evaluation.evaluation import evaluate
from s2robot.evaluation.mapping import observation_mapping
from s2robot.evaluation.options import EnvConfig, Filming
from s2robot.evaluation.playing import Player
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.evaluation.validation_file import NAME
from s2robot.policies.acting import acting_options
from s2robot.rollouts.acting_space import clipping
from s2robot.rollouts.chosen_by_file import check_chosen, recorded_arguments
from s2robot.rollouts.environment import check_environment, check_rendering
from s2robot.rollouts.gym_api import endless
from s2robot.rollouts.resolving import load_module, problem
from s2robot.rollouts.sizes import default_batch
from s2robot.rollouts.trained import action_range, set_acting
from s2robot.rollouts.video import check_films
from s2robot.runs import checkpoint
from s2robot.runs import folder as run_folder
from s2robot.runs.finding import find_checkpoint, run_dir
from s2robot.types import Actor, Spec


def main(config: EvalConfig) -> None:
    device = choose_device(config.device)
    keep_freed_memory()
    filming = Filming.read(config.video)
    if filming != Filming():
        check_films()
    path = find_checkpoint(config.checkpoint)
    if path != Path(config.checkpoint):
        print(f"evaluating {path}")
    loaded = checkpoint.load(path)
    set_acting(loaded.policy, config.policy, config.temporal_ensemble)
    spec = loaded.policy.spec
    with checkpoint.naming(loaded.path):
        env = _environment(config.env, spec, loaded.config)
    env_id = env.id or spec.env_id
    mapping = observation_mapping(spec, env_id, env)
    if config.env.id:
        load_module(config.env.id)
    if reason := problem(env_id):
        raise UserError(reason if config.env.id else f"{reason}{_offline(path)}")
    recorded, others = recorded_arguments(spec.env_id, spec.env_kwargs, env_id)
    env_kwargs = {**recorded, **env.kwargs}
    own = {name: value for name, value in recorded.items() if name not in env.kwargs}
    check_chosen(loaded.path, env_id, own, named=bool(config.env.id), belong=True)
    check_rendering()
    acted = check_environment(spec, env_id, env_kwargs, mapping)
    if missing := [name for name in others if name not in env.kwargs]:
        of = f"what was recorded of {spec.env_id}: {', '.join(missing)}"
        print(f"{env_id} is made without {of}; env.kwargs gives arguments")
    if mapping.told:
        print(mapping.told)
    for line in (clipping(env_id, acted, *action_range(loaded.policy)), endless(env_id, env_kwargs)):
        if line:
            print(f"warning: {line}")
    seeds = evaluation_seeds(config.episodes, loaded.training_seeds | loaded.selection_seeds, config.seed)
    batch = config.batch or default_batch(device.type)
    acting = acting_options(loaded.policy) | {"temporal_ensemble": config.temporal_ensemble}
    made_from = {
        "step": loaded.step,
        "weights": loaded.sha256,
        "encoders": loaded.encoders,
        "device": str(device),
    }
    identity = made_from | acting | asdict(mapping)

    run = run_dir(loaded.path)
    out_dir = run / "eval" / config.name
    rollouts: dict[str, Any] = {"workers": config.workers, "mapping": mapping, "look": config.look}
    with ExitStack() as cluster:
        actor: Actor | Player
        if config.engine == "ray":
            how = (env_id, env_kwargs, batch, rollouts, plugins.loaded())
            recipe = Recipe(path.absolute(), loaded.sha256, config, *how)
            actor = PlayedOverNodes(
                lambda: cluster.enter_context(connected(config.address)),
                recipe,
                device.type,
                out_dir / "videos",
            )
            rollouts = {}
        else:
            actor = make_agent(loaded, config, device, batch)
        summary = evaluate(
            actor,
            env_id,
            env_kwargs,
            seeds,
            out_dir,
            identity=identity,
            videos=filming.first,
            failures=filming.failures,
            overwrite=config.overwrite,
            around=run_folder.stage(run, "evaluate"),
            batch=batch,
            **rollouts,
        )
    low, high = summary.ci95
    rate = f"{summary.successes} of {summary.episodes} succeeded"
    print(f"{env_id}: {rate}, {summary.success_rate:.1%} [{low:.1%}, {high:.1%}] -> {out_dir}")


def _environment(given: EnvConfig, spec: Spec, trained: Mapping[str, Any]) -> EnvConfig:
    """What is given, and for the environment of the training what was given there."""
    if given.id not in (None, spec.env_id):
        return given
    before = EnvConfig(**as_declared(EnvConfig, trained.get("env") or {}, "env."))
    before.check()
    keys = {**before.keys, **given.keys}
    return replace(given, keys=keys, orientation=given.orientation or before.orientation)


def _offline(path: Path) -> str:
    """Where the run of a checkpoint has its offline validation, "" if it has none."""
    file = run_dir(path) / NAME
    return f"; offline validation is in {file}" if file.is_file() else ""
