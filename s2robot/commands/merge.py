"""Write several datasets of one format as one; episodes are numbered anew, filter keys are joined.

s2robot merge a.hdf5 b.hdf5 --out both.hdf5
s2robot merge monday tuesday --out week --lossless
"""

from collections.abc import Sequence

from s2robot.commands.cli.data import add_data, add_out, data_config, report
from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot merge`."""
    parser = Parser(__name__, __doc__)
    add_data(parser, several=True)
    add_out(parser)
    arguments = parser.parse_with_plugins(words)

    from s2robot.datasets.tools.editing import merge

    report(arguments, merge(data_config(arguments, arguments.path), arguments.out, arguments.lossless))
