"""What the commands about datasets share: how a dataset is named on the command line."""

import argparse
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2robot.commands.cli.parser import Parser, assignment
from s2robot.datasets.opening import config_of
from s2robot.datasets.options import DataConfig
from s2robot.errors import UserError, number_of

if TYPE_CHECKING:
    from s2robot.datasets.tools.writing import Done


def add_data(parser: Parser, name: str = "path", several: bool = False) -> None:
    """Add the argument for a dataset's path (or several, read as one) and how it is read.

    `--data NAME=VALUE` and a word `data.NAME=VALUE`, as training and messages have it, are the same.
    """
    told = "a file, a folder, or a glob in quotes"
    parser.add_argument(name, nargs="+" if several else None, metavar=name.upper(), help=told)
    known = ", ".join(field.name for field in fields(DataConfig) if field.name != "path")
    told = (
        f"how it is read; data.NAME=VALUE, as in training, is the same; e.g. cameras=[front] "
        f"cameras.front=rgb_0 actions=[qpos]; NAME: {known}"
    )
    parser.add_argument(
        "--data", nargs="+", action="extend", type=assignment, default=[], metavar="NAME=VALUE", help=told
    )
    parser.as_options["data."] = "--data"  # messages name options as training has them


def data_config(arguments: argparse.Namespace, path: Any) -> DataConfig:
    """The options of the dataset at a path; `cameras.front=KEY` is one name of a mapping.

    Raises `UserError` for an unknown option, and for one that is given twice.
    """
    options: dict[str, Any] = {}
    for name, value in arguments.data:
        option, dot, part = name.partition(".")
        before = options.get(option, {})
        if option in options and not (dot and isinstance(before, dict)):
            raise UserError(f"--data {name}=...: {option} is given twice")
        options[option] = {**before, part: value} if dot else value
    return config_of(path, options)


def add_out(parser: Parser) -> None:
    """Add what commands take that write a dataset."""
    told = "the new dataset: a name that ends in .hdf5 for robomimic's format, else a LeRobot folder"
    parser.add_argument("--out", type=Path, required=True, help=told)
    add_form(parser)


def add_form(parser: Parser) -> None:
    """Add how a new dataset keeps pixels, and how the command reports."""
    told = "keep pixels in a LeRobot folder exactly, as PNG, where they would be compressed as video"
    parser.add_argument("--lossless", action="store_true", help=told)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")


def report(arguments: argparse.Namespace, done: "Done") -> None:
    """Say what was written and what of the inputs is not in it."""
    if arguments.json:
        print(json.dumps({"out": str(arguments.out), **asdict(done)}))
        return
    for line in done.warnings:
        print(f"warning: {line}", file=sys.stderr)
    for line in done.lost:
        print(f"lost: {line}")
    masks = "".join(f", {key} {count}" for key, count in done.masks.items())
    print(f"wrote {arguments.out}: {number_of(done.episodes, 'episode')}{masks}")
