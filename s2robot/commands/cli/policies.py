"""What the commands about trained policies share: which one, and how it acts."""

import argparse
from typing import TYPE_CHECKING

from s2robot.commands.cli.parser import Parser, assignment

if TYPE_CHECKING:
    from s2robot.deploy.loaded import LoadedPolicy


def add_path(parser: Parser) -> None:
    """Add the argument for a run or a checkpoint."""
    told = "run folder (its last checkpoint) or checkpoint folder"
    parser.add_argument("path", metavar="RUN", help=told)


def add_acting(parser: Parser) -> None:
    """Add options for how a policy acts and where its encoder's weights are."""
    told = "how it acts, as policy.NAME in `s2robot eval`: action_steps, inference_steps, temperature, ..."
    parser.add_argument("--set", nargs="+", type=assignment, default=[], metavar="NAME=VALUE", help=told)
    told = "of the encoder, where they are not where training found them"
    parser.add_argument("--weights", metavar="FILE", help=told)


def add_running(parser: Parser) -> None:
    """Add options for what runs a policy here."""
    add = parser.add_argument
    add("--temporal-ensemble", type=float, metavar="M", help="ACT's m: decide after every step, average")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    add("--backend", default="auto", help="of the encoder: auto, torch, openvino, compile")


def loaded_policy(arguments: argparse.Namespace) -> "LoadedPolicy":
    """The policy that the arguments name. Raises `UserError`."""
    from s2robot.deploy.loading import load_policy

    return load_policy(
        arguments.path,
        arguments.device,
        temporal_ensemble=arguments.temporal_ensemble,
        backend=arguments.backend,
        weights=arguments.weights,
        acting=dict(arguments.set),
    )
