"""Render a dataset's images anew from its states."""

from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.parser import Parser, comma_separated
from s2robot.errors import UserError, number_of


def cli(words: Sequence[str]) -> None:
    """`s2robot render`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("data", type=Path, help="robomimic HDF5 file with states")
    parser.add_argument("--size", type=int, nargs="+", required=True, metavar="N", help="pixels: N or H W")
    parser.add_argument("--cameras", type=comma_separated, metavar="NAME,...", help="default: the file's")
    parser.add_argument("--out", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_with_plugins(words)
    if len(arguments.size) > 2:
        raise UserError("--size takes N or H W")
    size = (arguments.size[0], arguments.size[-1])

    from s2robot.collecting.render import render
    from s2robot.rollouts.environment import check_rendering

    check_rendering()
    frames = render(arguments.data, arguments.out, size, arguments.cameras)
    print(f"wrote {arguments.out}: {number_of(frames, 'frame')} of {size[0]}x{size[1]}")
