"""What the commands about datasets share: how a dataset is named on the command line."""

import argparse
from dataclasses import fields
from typing import Any

from s2robot.commands.cli.parser import Parser, assignment
from s2robot.datasets.opening import config_of
from s2robot.datasets.options import DataConfig


def add_data(parser: Parser, name: str = "path", several: bool = False) -> None:
    """Add the argument for a dataset's path (or several, read as one) and the option `--data`."""
    told = "a file, a folder, or a glob in quotes"
    parser.add_argument(name, nargs="+" if several else None, metavar=name.upper(), help=told)
    known = ", ".join(field.name for field in fields(DataConfig) if field.name != "path")
    told = f"how it is read, as data.NAME in training, e.g. cameras=[front] actions=[qpos]; NAME: {known}"
    parser.add_argument("--data", nargs="+", type=assignment, default=[], metavar="NAME=VALUE", help=told)


def data_config(arguments: argparse.Namespace, path: Any) -> DataConfig:
    """The options of the dataset at a path. Raises `UserError` for an unknown option."""
    return config_of(path, dict(arguments.data))
