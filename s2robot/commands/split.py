"""Write a dataset with filter keys `train` and `valid`, drawn at random; other filter keys are kept.

s2robot split demos.hdf5 --out split.hdf5 --valid 0.1 --seed 0
"""

from collections.abc import Sequence

from s2robot.commands.cli.data import add_data, add_out, data_config, report
from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot split`."""
    parser = Parser(__name__, __doc__)
    add_data(parser)
    add_out(parser)
    parser.add_argument("--valid", type=float, default=0.1, help="share of the episodes (default: 0.1)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    arguments = parser.parse_with_plugins(words)

    from s2robot.datasets.tools.editing import split

    config = data_config(arguments, arguments.path)
    report(arguments, split(config, arguments.out, arguments.valid, arguments.seed, arguments.lossless))
