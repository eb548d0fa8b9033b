"""Check a dataset: every fault in one table; exit status 1 if there is an error, 0 otherwise.

Without --pixels no frame is decoded, except the last one of each video. With it every frame is: black,
empty, frozen and repeated ones are found, and where the file has states of a simulator that is installed,
frames are compared with a rendering.

    s2robot validate demos.hdf5
    s2robot validate lerobot_folder --pixels --json
"""

import json
import sys
from collections.abc import Sequence

from s2robot.commands.cli.data import add_data, data_config
from s2robot.commands.cli.parser import Parser
from s2robot.errors import number_of

FAULTY = 1  # exit status


def cli(words: Sequence[str]) -> None:
    """`s2robot validate`."""
    parser = Parser(__name__, __doc__)
    add_data(parser, several=True)
    parser.add_argument("--pixels", action="store_true", help="decode and check every frame")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_with_plugins(words)

    from s2robot.datasets.tools.validation import as_data, table, validate

    findings = validate(data_config(arguments, arguments.path), arguments.pixels)
    if arguments.pixels and findings.healthy is not None:
        from s2robot.collecting.orientation import compare_with_states

        compare_with_states(findings)
    if arguments.json:
        print(json.dumps(as_data(findings)))
    else:
        print(*table(findings), *findings.notes, sep="\n")
        errors, warnings = len(findings.errors), len(findings.warnings)
        print(f"{number_of(errors, 'error')}, {number_of(warnings, 'warning')}")
    sys.exit(FAULTY if findings.errors else 0)
