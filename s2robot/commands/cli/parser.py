"""Parsing the words of the commands that are not configured by Hydra."""

import argparse
from collections.abc import Sequence

import yaml

from s2robot import plugins
from s2robot.errors import UserError, unknown_name


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that names the default of each option, where its own text does not."""

    def _get_help_string(self, action: argparse.Action) -> str:
        told, default = action.help or "", action.default
        named = "default:" in told or not action.option_strings
        if named or default is None or default is argparse.SUPPRESS or isinstance(default, (bool, list)):
            return told
        return f"{told} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line that names the nearest choice."""

    def __init__(self, module: str, doc: str | None) -> None:
        """A command's parser, from its module's `__name__` and `__doc__`."""
        super().__init__(
            prog=f"s2robot {module.rpartition('.')[2]}",
            description=doc,
            formatter_class=_Help,
        )
        self.as_options: dict[str, str] = {}  # how a word NAME=VALUE begins -> the option it is a value of

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UserError(f"{message}; see `{self.prog} --help`")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            raise unknown_name(str(action.metavar or action.dest), str(value), map(str, action.choices))

    def parse_with_plugins(self, words: Sequence[str]) -> argparse.Namespace:
        """`parse_args` with an option `--plugins`, whose modules are imported afterwards."""
        told = "modules that register more, comma separated; installed plugins need no name"
        self.add_argument("--plugins", type=comma_separated, default=[], metavar="MODULE,...", help=told)
        for start, name in self.as_options.items():
            values = [word for word in words if word.startswith(start) and "=" in word]
            words = [word for word in words if word not in values]
            words += [name, *(value.removeprefix(start) for value in values)] if values else []
        arguments = self.parse_intermixed_args(words)  # positional words before and after options
        plugins.load(arguments.plugins)
        return arguments


def comma_separated(text: str) -> list[str]:
    """`a,b` -> ["a", "b"]."""
    return text.split(",")


def numbers(text: str) -> list[int]:
    """`224,448` -> [224, 448]."""
    return [int(number) for number in text.split(",")]


def assignment(text: str) -> tuple[str, object]:
    """`cube_size=0.02` -> ("cube_size", 0.02); values as YAML has them."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, yaml.safe_load(value)


def camera_sizes(words: Sequence[str]) -> dict[str, list[int]]:
    """`wrist=112,224` for each camera with sizes of its own; UserError for anything else."""
    sizes = {}
    for word in words:
        camera, equals, listed = word.partition("=")
        if not (camera and equals and listed.replace(",", "").isdigit()):
            raise UserError(f"--camera-sizes are given as CAMERA=224,448, not {word!r}")
        sizes[camera] = [int(number) for number in listed.split(",") if number]
    return sizes
