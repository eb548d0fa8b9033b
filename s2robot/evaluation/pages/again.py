"""What to type to do again what a page shows."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from s2robot.datasets.images import TRANSFORM_OF, TRANSFORMS
from s2robot.evaluation.pages.evaluations import Evaluation
from s2robot.evaluation.pages.facts import Pairs, pick
from s2robot.evaluation.pages.runs import Run
from s2robot.rollouts.names import usual_flips
from s2robot.rollouts.sizes import default_batch
from s2robot.runs.finding import CHECKPOINTS
from s2robot.runs.steps import name_of

# A text that Hydra takes as it is. What it would take for a number, true or null is quoted.
PLAIN = re.compile(r"(?!(?:true|false|null|nan|inf)$)[A-Za-z_][\w./:-]*", re.IGNORECASE)


def commands(run: Run) -> Pairs:
    """The recorded command of the training, and one for each evaluation."""
    command = run.made.get("command")
    words = shlex.join(map(str, command)) if isinstance(command, list) else command
    trained = [("train", words)] if isinstance(words, str) else []
    return trained + [(f"evaluate: {one.name}", eval_command(run, one)) for one in run.evaluations]


def first_evaluation(run: Run) -> str:
    """The command of a first evaluation."""
    name = "best" if "best" in run.checkpoints else "last"
    return shlex.join(["s2robot", "eval", f"checkpoint={run.folder}/{CHECKPOINTS}/{name}", "video=9"])


def eval_command(run: Run, evaluation: Evaluation) -> str:
    """The command of an evaluation, a comment where its checkpoint is not there any more."""
    names = {one.get("step"): name for name, one in run.checkpoints.items()}
    name = names.get(evaluation.step, "last" if evaluation.step is None else name_of(evaluation.step))
    if not (run.folder / CHECKPOINTS / name).is_dir():
        return f"# the checkpoint of step {evaluation.step} is not there"
    seeds = evaluation.plan["seeds"]
    words = [f"checkpoint={run.folder}/{CHECKPOINTS}/{name}", f"episodes={len(seeds)}", f"seed={seeds[0]}"]
    if evaluation.name != "default":
        words.append(f"name={evaluation.name}")
    chosen = {**_environment(run, evaluation), **_acting(run, evaluation)}
    words += [f"{key}={_typed(value)}" for key, value in chosen.items()]
    return shlex.join(["s2robot", "eval", *words])


def _environment(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """Options that neither the dataset nor the training chose: plugins, the environment, its rows."""
    spec: Any = next((found for one in run.checkpoints.values() if (found := pick(one, "spec"))), {})
    plan, options = evaluation.plan, dict[str, Any]()
    if plugins := run.config.get("plugins"):
        options["plugins"] = plugins
    if plan["env_id"] != spec.get("env_id"):
        options["env.id"] = plan["env_id"]
    recorded = spec.get("env_kwargs") or {}
    for name, value in (plan.get("env_kwargs") or {}).items():
        if "env.id" in options or name not in recorded or recorded[name] != value:
            options[f"env.kwargs.{name}"] = value
    trained = pick(run.config, "env.keys") or {}
    for name, key in (evaluation.identity.get("keys") or {}).items():
        if trained.get(name) != key:
            options[f"env.keys.{name}"] = key
    options |= _orientation(run, evaluation, spec)
    if plan.get("batch", 1) != default_batch(str(evaluation.identity.get("device", "cpu")).partition(":")[0]):
        options["batch"] = plan["batch"]
    return options


def _orientation(run: Run, evaluation: Evaluation, spec: Mapping[str, Any]) -> dict[str, Any]:
    """How the environment gives frames, where that is not what the dataset or the training says."""
    env_id, flips = evaluation.plan["env_id"], evaluation.identity.get("flips")
    cameras = spec.get("cameras")
    if not isinstance(flips, dict) or not isinstance(cameras, dict):
        return {}
    keys = evaluation.identity.get("keys") or {}
    said, expected = dict[str, str](), dict[str, str]()
    for name, camera in cameras.items():
        key = pick(camera, "key")
        here, recorded = flips.get(keys.get(key, key), ()), pick(camera, "flips") or ()
        if not isinstance(here, list | tuple) or not isinstance(recorded, list | tuple):
            return {}
        said[name] = _orientation_of(tuple(here))
        expected[name] = _orientation_of(usual_flips(env_id, tuple(recorded)))
    if env_id == spec.get("env_id"):
        trained = pick(run.config, "env.orientation") or {}
        expected |= trained if isinstance(trained, dict) else dict.fromkeys(cameras, trained)
    return {} if said == expected or "" in said.values() else {"env.orientation": said}


def _orientation_of(axes: tuple[int, ...]) -> str:
    """The name of frames that are flipped along these axes; "" for what has none."""
    return next((name for name, transform in TRANSFORM_OF.items() if TRANSFORMS[transform] == axes), "")


def _acting(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """Options of how the policy acted that the training did not choose."""
    options = {} if evaluation.ensemble is None else {"temporal_ensemble": evaluation.ensemble}
    for name, value in evaluation.acting.items():
        if value != pick(run.config, f"policy.{name}") and not (options and name == "action_steps"):
            options[f"policy.{name}"] = value
    return options


def _typed(value: Any) -> str:
    """A value as Hydra's grammar reads it."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_typed(key)}:{_typed(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_typed, value)) + "]"
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
