"""Rebuild the tables of README and docs from docs/results, between their markers (`make tables`).

    python benchmarks/tables.py            # write what differs
    python benchmarks/tables.py --check    # fail if a table is not what its results say

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is one of `TABLES`.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from common import ROOT
from paper_tables import power_lines, success_table
from results import RESULTS, Cell, read_cells
from suite_table import suite_table

from s2robot.files import write_text

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MARKED = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end of table -->)", re.DOTALL)
TABLES: Mapping[str, tuple[str, Callable[[list[Cell]], list[str]]]] = {  # name -> experiment, its lines
    "paper_cube": ("paper_cube", success_table),
    "paper_cube power": ("paper_cube", power_lines),
    "precise": ("precise", success_table),
    "suite": ("precise", suite_table),
}


def rebuilt(text: str, results: Path) -> str:
    """A page with every marked table made anew. Raises `KeyError` for the name of no table."""
    return MARKED.sub(partial(_table, results), text)


def _table(results: Path, found: re.Match[str]) -> str:
    begin, name, end = found.groups()
    experiment, lines = TABLES[name]
    # Empty lines, or Markdown takes the table for a part of the marker
    return "\n".join([begin, *lines(read_cells(experiment, results)), "", end])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    pages = {page: (page.read_text(), rebuilt(page.read_text(), arguments.results)) for page in PAGES}
    differing = [page for page, (before, after) in pages.items() if before != after]
    if arguments.check and differing:
        sys.exit(f"not what docs/results say; `make tables` rebuilds them: {', '.join(map(str, differing))}")
    for page in differing:
        write_text(page, pages[page][1])
        print(f"rebuilt {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
