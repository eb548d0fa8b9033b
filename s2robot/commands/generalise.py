"""Evaluate a policy where the scene differs from training: positions, colours, light, textures, camera.

    s2robot generalise runs/demo --episodes 50
    s2robot generalise runs/demo/checkpoints/best --shifts light,camera workers=2

Every shift is an evaluation of its own, RUN/eval/shift_NAME, on the same seeds.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2robot.commands.cli.parser import Parser, comma_separated
from s2robot.errors import UserError, unknown_name

if TYPE_CHECKING:
    from s2robot.rollouts.results import EpisodeResult


def cli(words: Sequence[str]) -> None:
    """`s2robot generalise`."""
    from s2robot.evaluation.shifts import NONE, SHIFTS, shifted, table

    parser = Parser(__name__, __doc__)
    parser.add_argument("checkpoint", help="a run or a checkpoint, e.g. runs/demo")
    parser.add_argument("--episodes", type=int, default=50, help="of each shift")
    known = ", ".join(shift for shift in SHIFTS if shift != NONE)
    parser.add_argument("--shifts", type=comma_separated, help=f"default: all of {known}")
    parser.add_argument("--json", action="store_true", help="one JSON list as the last line")
    parser.add_argument("options", nargs="*", help="of eval, e.g. workers=2 seed=200000")
    arguments = parser.parse_intermixed_args(words)
    chosen = list(SHIFTS) if arguments.shifts is None else [NONE, *arguments.shifts]
    for shift in chosen:
        if shift not in SHIFTS:
            raise unknown_name("shift", shift, SHIFTS)
    results = {}
    for shift in dict.fromkeys(chosen):
        results[shift] = _episodes(arguments.checkpoint, arguments.episodes, shift, arguments.options)
    rows = shifted(results)
    print(json.dumps([asdict(row) for row in rows]) if arguments.json else "\n".join(table(rows)))


def _episodes(checkpoint_path: str, episodes: int, shift: str, words: Sequence[str]) -> "list[EpisodeResult]":
    """The episodes of one shift, evaluated unless they are there."""
    from s2robot.commands import eval as evaluation
    from s2robot.commands.cli.entry import options_of
    from s2robot.evaluation.episodes_file import read_episodes
    from s2robot.evaluation.shifts import SHIFTS
    from s2robot.rollouts.names import OWN
    from s2robot.runs.checkpoint import read_description
    from s2robot.runs.finding import find_checkpoint, run_dir

    given = ["checkpoint=given", f"episodes={episodes}", f"name=shift_{shift}"]
    options = options_of("eval", [*given, *words])
    path = find_checkpoint(Path(checkpoint_path))
    env_id = options.env.id or read_description(path)["spec"]["env_id"]
    if not env_id.startswith(OWN):
        raise UserError(f"{env_id or path} has no shifts; generalise knows those of {OWN}'s tabletop tasks")
    env = replace(options.env, kwargs={**options.env.kwargs, **SHIFTS[shift][1]})
    evaluation.main(replace(options, checkpoint=checkpoint_path, env=env))
    return read_episodes(run_dir(path) / "eval" / options.name / "episodes.jsonl")
