"""Where a task is lost: by the expert, by imitation, by perception, and in which phase of an episode.

    python benchmarks/diagnose.py ThreadNut                        # expert and imitation; without images
    python benchmarks/diagnose.py ThreadNut --demonstrations 200 500 1000 --action-steps 4 1 --json
    python benchmarks/diagnose.py ThreadNut --data runs/nut/demos.hdf5 \\
        --probe "encoder.sizes=[224]" "encoder.sizes=[224,448] encoder.output_grid=[28,28] policy.head=conv"
    python benchmarks/diagnose.py ThreadNut --run runs/nut         # a trained policy, by phase

`imitation` is a network that imitates the expert from the privileged state: the ceiling of a policy. Rows
with `error_mm` give it positions of part and goal that are wrong by so much (deviation along x and along y,
the same in a whole episode): what an error of perception costs. A probe reads the state off the features of
one frame; its errors are medians over the validation demonstrations. `closed_loop` gives the imitating
network what the probe reads. All rollouts have the seeds of `s2robot eval`.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from diagnosis.demonstrations import demonstrations, make
from diagnosis.imitation import Imitation, imitate
from diagnosis.rollouts import FromState, roll_out, summary
from diagnosis.state import OBJECT, Description

import envs
from s2robot.errors import UserError, unknown_name
from s2robot.evaluation.seeds import evaluation_seeds

PROBES = ["encoder.sizes=[224]", "encoder.sizes=[224,448]"]


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.tiny:
        arguments.demonstrations, arguments.episodes, arguments.steps = [2], 1, 20
    env_id = known_task(arguments.task)
    seeds = evaluation_seeds(arguments.episodes)
    found: dict[str, Any] = {"task": env_id}
    description, model = _imitation(env_id, seeds, arguments, found)
    if arguments.data is not None:
        _perception(env_id, seeds, arguments, description, model, found)
    if arguments.run is not None:
        _trained(env_id, seeds, arguments, found)
    if arguments.json:
        print(json.dumps(found))


def _imitation(
    env_id: str, seeds: list[int], arguments: argparse.Namespace, found: dict[str, Any]
) -> tuple[Description, Imitation]:
    """The expert and its imitation; returns what the network of the most demonstrations is."""
    env = make(env_id)
    env.reset(seed=0)
    description = Description.of(env.unwrapped)
    env.close()
    disturbed = arguments.noise, arguments.drift
    shown, attempts = demonstrations(env_id, max(arguments.demonstrations), arguments.workers, *disturbed)
    found["expert"] = {"solved": len(shown), "episodes": attempts}
    _say(arguments, f"disturbed expert: {len(shown)} of {attempts}")
    states = [description.inputs(one.obs, description.seen(one.obs[OBJECT])) for one in shown]
    actions = [one.actions for one in shown]
    for count in sorted(arguments.demonstrations):
        model = imitate(states[:count], actions[:count], arguments.steps)
        settings = [(k, 0.0) for k in arguments.action_steps]
        settings += [(arguments.action_steps[0], error) for error in arguments.error_mm]
        for action_steps, error_mm in settings:
            decide = partial(FromState, model, description, error_mm)
            rollouts = roll_out(decide, env_id, seeds, arguments.workers, action_steps)
            keys = {"demonstrations": count, "action_steps": action_steps, "error_mm": error_mm}
            row = keys | summary(rollouts)
            found.setdefault("imitation", []).append(row)
            _say(arguments, f"imitation: {row}")
    return description, model


def _perception(
    env_id: str,
    seeds: list[int],
    arguments: argparse.Namespace,
    description: Description,
    model: Imitation,
    found: dict[str, Any],
) -> None:
    from diagnosis.probes import FromCameras, probed  # PyTorch's encoders, for those who look at images

    for words in arguments.probe:
        options = [f"data.path={arguments.data}", "run_dir=none", *words.split()]
        probe = probed(description, options, arguments.steps)
        row: dict[str, Any] = {"probe": words, "errors": probe.errors}
        if arguments.closed_loop:
            decide = partial(FromCameras, model, description, probe)
            row["closed_loop"] = summary(roll_out(decide, env_id, seeds, 1, arguments.action_steps[0]))
        found.setdefault("probes", []).append(row)
        _say(arguments, f"probe: {row}")


def _trained(env_id: str, seeds: list[int], arguments: argparse.Namespace, found: dict[str, Any]) -> None:
    from diagnosis.trained import FromRun

    row = {"run": str(arguments.run)} | summary(roll_out(FromRun(arguments.run).begin, env_id, seeds, 1, 1))
    found["policy"] = row
    _say(arguments, f"policy: {row}")


def known_task(task: str) -> str:
    """The id of a task by its id or its short name, e.g. ThreadNut."""
    ids = [env_id for env_id in envs.TASKS if task in (env_id, env_id.split("/")[-1])]
    ids = ids or sorted(env_id for env_id in envs.TASKS if f"/{task}-v" in env_id)
    if not ids:
        raise unknown_name("task", task, envs.TASKS)
    return ids[-1]


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.json:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("task", help="an id, or a short name of the newest version, e.g. ThreadNut")
    add("--demonstrations", type=int, nargs="+", default=[200], help="that are imitated from the state")
    add("--noise", type=float, help="of the demonstrations instead of the task's (see s2robot collect)")
    add("--drift", type=float, help="of the demonstrations instead of the task's")
    add("--episodes", type=int, default=60, help="of each success rate")
    add("--steps", type=int, default=6000, help="of each training")
    add("--action-steps", type=int, nargs="+", default=[4], help="executed of each predicted chunk of 8")
    add("--error-mm", type=float, nargs="*", default=[], help="of the perceived positions, e.g. 0.5 1 2")
    add("--data", type=Path, help="demonstrations with images, for the probes")
    add("--probe", nargs="*", default=PROBES, help="options of `s2robot train` for each")
    add("--closed-loop", action="store_true", help="the imitating network acts on what each probe reads")
    add("--run", type=Path, help="a trained policy's run folder, for its success by phase")
    add("--workers", type=int, default=2, help="processes that simulate")
    add("--tiny", action="store_true", help="two demonstrations and one episode, to see that it works")
    add("--json", action="store_true", help="one JSON object and nothing else")
    return parser


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
