"""Say what this machine has for s2robot, and what is missing, with the command that mends it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING

from s2robot.commands.cli.parser import Parser
from s2robot.errors import UserError

if TYPE_CHECKING:
    from s2robot.machine.finding import Finding

NEED_PACKAGES = ("compute", "rendering", "video")  # what they import is one finding among others if it misses


def cli(words: Sequence[str]) -> None:
    """`s2robot doctor`; raises `UserError` when something is missing."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("--json", action="store_true", help="one JSON list and nothing else")
    arguments = parser.parse_args(words)
    found = []
    for finding in findings():
        found.append(finding)
        if not arguments.json:
            print(finding, flush=True)  # some checks take a second
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in found]))
    if not all(finding.ok for finding in found):
        raise UserError("something is missing, see above")


def findings() -> Iterator["Finding"]:
    """What each check finds, one after the other."""
    from s2robot.machine import packages, storage

    yield from packages.findings()
    yield from storage.findings()
    if packages.needed():
        for name in NEED_PACKAGES:
            yield from import_module(f"s2robot.machine.{name}").findings()
