"""Compare two evaluations on the same seeds: is one policy better?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot compare`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("a", type=Path, help="run folder, or evaluation folder RUN/eval/NAME")
    parser.add_argument("b", type=Path, help="the same of another policy")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args(words)

    from s2robot.evaluation.comparison import compare_folders, table

    comparison = compare_folders(arguments.a, arguments.b)
    if arguments.json:
        print(json.dumps({"a": str(arguments.a), "b": str(arguments.b), **asdict(comparison)}))
    else:
        print(*table(comparison, str(arguments.a), str(arguments.b)), sep="\n")
