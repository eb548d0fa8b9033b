"""Write some of a dataset's episodes as a new one.

    s2robot subset demos.hdf5 --out few.hdf5 --episodes demo_3,demo_7
    s2robot subset demos.hdf5 --out train.hdf5 --mask train
    s2robot subset lerobot_folder --out ten_episodes --first 10

Arrays, encoded images and videos are copied as they are; a LeRobot folder becomes one of version 3.0.
"""

from collections.abc import Sequence

from s2robot.commands.cli.data import add_data, add_out, data_config, report
from s2robot.commands.cli.parser import Parser, comma_separated


def cli(words: Sequence[str]) -> None:
    """`s2robot subset`."""
    parser = Parser(__name__, __doc__)
    add_data(parser)
    add_out(parser)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--episodes", type=comma_separated, metavar="NAME,...", help="by name")
    chosen.add_argument("--mask", metavar="KEY", help="those of a filter key, e.g. train")
    chosen.add_argument("--first", type=int, metavar="N", help="the first N")
    arguments = parser.parse_with_plugins(words)

    from s2robot.datasets.tools.editing import subset

    wanted = arguments.episodes or arguments.mask or arguments.first
    done = subset(data_config(arguments, arguments.path), arguments.out, wanted, arguments.lossless)
    report(arguments, done)
