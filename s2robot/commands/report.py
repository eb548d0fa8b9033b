"""Write report.html of a run: what it is, success rates, videos, curves, offline validation."""

from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot report`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run")
    parser.add_argument("--embed", action="store_true", help="put the videos into the page")
    arguments = parser.parse_args(words)

    from s2robot.evaluation.report import write_report

    print(f"wrote {write_report(arguments.run_dir, arguments.embed)}")
