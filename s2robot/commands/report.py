"""Write a page about a run, or about several: what they are, success rates, videos, curves, comparisons.

One run gets RUN/report.html. Several runs, or a folder of runs such as a sweep, get one page with a
leaderboard, and each its own.
"""

from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.parser import Parser


def cli(words: Sequence[str]) -> None:
    """`s2robot report`."""
    parser = Parser(__name__, __doc__)
    told = "runs (or checkpoints in them), or folders of runs"
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help=told)
    parser.add_argument("--embed", action="store_true", help="put the videos into the pages")
    parser.add_argument("--out", type=Path, help="file of the page about several runs")
    arguments = parser.parse_args(words)

    from s2robot.evaluation.overview import write_overview
    from s2robot.evaluation.pages.runs import is_run
    from s2robot.evaluation.report import write_report
    from s2robot.runs.finding import run_dir

    paths = [run_dir(path) for path in arguments.paths]
    first, *others = paths
    if not others and arguments.out is None and (is_run(first) or not first.is_dir()):
        print(f"wrote {write_report(first, arguments.embed)}")
    else:
        print(f"wrote {write_overview(paths, arguments.out, arguments.embed)}")
