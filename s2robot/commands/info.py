"""Show what a dataset holds: episodes, arrays, cameras, environment, tasks; a contact sheet with --sheet.

s2robot info demos.hdf5
s2robot info demos.hdf5 --sheet demos.png
s2robot info lerobot_folder --json
"""

import json
from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.data import add_data, data_config
from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot info`."""
    parser = Parser(__name__, __doc__)
    add_data(parser, several=True)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write frames of all cameras there")
    arguments = parser.parse_with_plugins(words)

    from s2robot.datasets.tools.leniently import open_leniently
    from s2robot.datasets.tools.sheet import write_sheet
    from s2robot.datasets.tools.summary import lines, summarize

    dataset, _ = open_leniently(data_config(arguments, arguments.path))
    if arguments.sheet:
        write_sheet(dataset, arguments.sheet)
    summary = summarize(dataset)
    print(json.dumps(summary) if arguments.json else "\n".join(lines(summary)))
