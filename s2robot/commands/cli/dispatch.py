"""`s2robot <command> ...`: finds the command's module in `s2robot/commands/` and runs it."""

import ast
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import s2robot
from s2robot import commands
from s2robot.commands.cli.console import one_line_errors, open_missing_streams
from s2robot.errors import UserError, unknown_name
from s2robot.processes.ending import end_with_parent, terminating
from s2robot.runs.lock import note_command


def main(words: Sequence[str] | None = None) -> None:
    """Run the command that `words` name (default: the process's own); a mistake is one line and status 2."""
    words = sys.argv[1:] if words is None else words
    open_missing_streams()
    end_with_parent()  # where another command started this one
    with terminating(), one_line_errors():
        known = names()
        if not words:
            raise UserError(f"no command is given; known: {', '.join(known)}; see `s2robot --help`")
        if words[0] in ("-h", "--help"):
            print(overview())
        elif words[0] == "--version":
            print(s2robot.__version__)
        elif words[0] in known:
            note_command(words)
            _run(*words)
        else:
            raise unknown_name("command", words[0], known)


def names() -> list[str]:
    """The commands: modules in `s2robot/commands/`."""
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__) if not module.ispkg)


def overview() -> str:
    """What `s2robot --help` prints."""
    lines = ["usage: s2robot COMMAND ...", "", str(s2robot.__doc__), "", "commands:"]
    lines += [f"  {name:<12}{_doc(name).splitlines()[0]}" for name in names()]
    return "\n".join([*lines, "", "`s2robot COMMAND --help` shows what a command takes."])


def _run(name: str, *words: str) -> None:
    if Path(s2robot.__path__[0], "configs", f"{name}.yaml").is_file():
        try:
            Path.cwd()
        except FileNotFoundError as error:
            raise UserError("the current folder was deleted; change to one that is there") from error
        from s2robot.commands.cli import entry  # Hydra, which the other commands do without

        entry.run(name, words, _doc(name))
    else:
        import_module(f"{commands.__name__}.{name}").cli(words)


def _doc(name: str) -> str:
    """The docstring of a command's module, without importing it."""
    source = Path(commands.__path__[0], f"{name}.py").read_text()
    return ast.get_docstring(ast.parse(source)) or name
