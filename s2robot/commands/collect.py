"""Collect demonstrations of a task's scripted expert, as robomimic HDF5."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.parser import Parser, assignment, comma_separated
from s2robot.errors import number_of


def cli(words: Sequence[str]) -> None:
    """`s2robot collect`."""
    arguments = _parser().parse_with_plugins(words)

    from s2robot.collecting.collect import Collection, collect
    from s2robot.rollouts.environment import check_rendering

    check_rendering()
    collection = Collection(
        env_id=arguments.env,
        episodes=arguments.episodes,
        seed=arguments.seed,
        env_kwargs=_env_kwargs(arguments),
        noise=arguments.noise,
        push_probability=arguments.push_probability,
        drift=arguments.drift,
        keep_failures=arguments.keep_failures,
    )
    outcome = "wrote" if collect(collection, arguments.out, arguments.workers) else "found"
    size_mb = arguments.out.stat().st_size / 1e6
    print(f"{outcome} {arguments.out}: {number_of(arguments.episodes, 'demonstration')}, {size_mb:.0f} MB")


def _parser() -> Parser:
    parser = Parser(__name__, __doc__)
    add = parser.add_argument
    add("--env", required=True, help="environment id, e.g. s2robot/PickCube-v0")
    add("--episodes", type=int, default=120, help="demonstrations to write")
    add("--seed", type=int, default=0, help="collections with different seeds share no episode")
    add("--out", type=Path, required=True, help="HDF5 file to write")
    add("--workers", type=int, help="processes (default: one a core)")
    add("--image-size", type=int, nargs="+", metavar="N", help="pixels: N or H W (default: the task's own)")
    add("--cameras", type=comma_separated, metavar="NAME,...", help="cameras (default: the task's own)")
    add("--env-kwargs", nargs="+", default=[], type=assignment, metavar="NAME=VALUE", help="of the task")
    add("--noise", type=float, help="of the executed action (default: the task's own)")
    add("--push-probability", type=float, help="of a push, each step (default: the task's own)")
    add("--drift", type=float, help="largest, of the executed action (default: the task's own)")
    add("--keep-failures", action="store_true", help="write episodes that did not succeed as well")
    return parser


def _env_kwargs(arguments: argparse.Namespace) -> dict[str, object]:
    env_kwargs: dict[str, object] = dict(arguments.env_kwargs)
    if arguments.image_size is not None:
        size = arguments.image_size
        env_kwargs["image_size"] = size[0] if len(size) == 1 else size
    if arguments.cameras is not None:
        env_kwargs["cameras"] = arguments.cameras
    return env_kwargs
