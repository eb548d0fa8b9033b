"""List the runs of a folder: status, step, success rate with its interval, time, date."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot runs`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs"), help="(default: runs)")
    parser.add_argument("--json", action="store_true", help="a JSON list with an object for each run")
    arguments = parser.parse_args(words)

    from s2robot.evaluation.listing import lines, table

    found = lines(arguments.folder)
    if arguments.json:
        print(json.dumps([asdict(line) for line in found]))
    else:
        print(*table(found), sep="\n")
