"""`s2robot <command> ...`: finds the command's module in `s2robot/commands/` and runs it."""

import ast
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import s2robot
from s2robot import commands
from s2robot.commands.cli.console import one_line_errors
from s2robot.errors import UserError, unknown_name


def main(words: Sequence[str] | None = None) -> None:
    """Run the command that `words` name (default: the process's own); a mistake is one line and status 2."""
    first, *rest = [*(sys.argv[1:] if words is None else words), ""]
    with one_line_errors():
        known = names()
        if first in ("-h", "--help"):
            print(overview())
        elif first == "--version":
            print(s2robot.__version__)
        elif not first:
            raise UserError(f"no command is given; known: {', '.join(known)}; see `s2robot --help`")
        elif first not in known:
            raise unknown_name("command", first, known)
        else:
            import_module(f"{commands.__name__}.{first}").cli(rest[:-1])


def names() -> list[str]:
    """The commands: modules in `s2robot/commands/`."""
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__) if not module.ispkg)


def overview() -> str:
    """What `s2robot --help` prints; no command is imported for it."""
    folder = Path(commands.__path__[0])
    lines = ["usage: s2robot COMMAND ...", "", str(s2robot.__doc__), "", "commands:"]
    for name in names():
        doc = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text())) or ""
        lines.append(f"  {name:<10}{doc.partition(chr(10))[0]}")
    return "\n".join([*lines, "", "`s2robot COMMAND --help` shows what a command takes."])
