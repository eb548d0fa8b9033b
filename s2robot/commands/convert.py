"""Convert a dataset: into a robomimic file (target ends in .hdf5) or a LeRobot folder (version 3.0).

    s2robot convert lerobot_folder demos.hdf5
    s2robot convert demos.hdf5 lerobot_folder --lossless

Executed actions, seeds, filter keys, states, models and env_args are carried along; what is lost is printed.
"""

from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.data import add_data, add_form, data_config, report
from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot convert`."""
    parser = Parser(__name__, __doc__)
    add_data(parser)
    parser.add_argument("out", type=Path, metavar="TARGET", help="a name that ends in .hdf5, or a folder's")
    parser.add_argument("--fps", type=float, help="steps a second, where the dataset does not say it")
    add_form(parser)
    arguments = parser.parse_with_plugins(words)

    from s2robot.datasets.tools.converting import convert

    config = data_config(arguments, arguments.path)
    report(arguments, convert(config, arguments.out, arguments.lossless, arguments.fps))
