"""Mistakes in YAML files of configurations, as those of `--config-dir`: file, key and reason in one line."""

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path

from hydra.errors import MissingConfigException
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError

from s2robot.commands.cli.reasons import reason
from s2robot.errors import unknown_name
from s2robot.policies import PolicyConfig

IN_FILE = re.compile(r"In '(?P<name>[^']+)': (?P<told>.+)")  # how Hydra begins
GLOBAL = "# @package _global_"  # makes a file's keys those of the command, and not of the file's folder


def mistake(error: BaseException, file_of: Callable[[str], Path | None]) -> str:
    """One line of what Hydra or OmegaConf found wrong while it composed.

    `file_of` finds the file of a configuration's name, such as `experiment/mine`; None if there is none, and
    for the command's own, in which Hydra also looks for what another file chose.
    """
    if isinstance(error, MarkedYAMLError):
        return in_file(error, None)
    found = IN_FILE.match(str(error))
    if found is None or (file := file_of(found["name"])) is None:
        return reason(error.__cause__ or error)
    if isinstance(error, MissingConfigException):
        return (
            f"{file}: {found['told'].rstrip('.')}, which its `defaults` name; a choice of another folder "
            f"begins with a slash, as in `override /policy: bc`"
        )
    cause = error.__cause__ or error.__context__  # Hydra raises its own without naming the cause
    if isinstance(cause, ConfigKeyError):
        return f"{file}: {_unknown_key(cause, file, found['name'])}"
    return f"{file}: {reason(cause if isinstance(cause, OmegaConfBaseException) else error)}"


def in_file(error: BaseException, file: Path | None) -> str:
    """One line of what is wrong with a YAML file that cannot be read."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return f"{file} cannot be read as a configuration: {reason(error)}"
    mark = error.problem_mark
    told = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    begun = error.context_mark
    since = f" ({error.context} of line {begun.line + 1})" if error.context and begun else ""
    return f"{file or mark.name} cannot be read as YAML: {told}{since}"


def _unknown_key(error: ConfigKeyError, file: Path, name: str) -> str:
    """What an unknown key was meant as: another option, or one of the whole command or of a policy."""
    key = str(error.full_key)
    if key == name.rpartition("/")[0].replace("/", ".") and "@package" not in file.read_text():
        return f"the first line `{GLOBAL}` is missing, without which its keys are options of {key!r}; add it"
    if error.object_type is PolicyConfig:
        return (
            f"unknown option {key!r}; it builds on no policy: add `defaults: [bc]`, or another policy's name"
        )
    parent, dot, _ = key.rpartition(".")
    names = fields(error.object_type) if is_dataclass(error.object_type) else ()
    return str(unknown_name("option", key, (f"{parent}{dot}{one.name}" for one in names)))
