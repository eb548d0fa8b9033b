"""`s2robot train --help`: each option with its value and meaning, from the fields of the dataclasses."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

WIDTH = 110
COLUMN = 42  # where meanings begin
FLAGS = {
    "-m, --multirun": "run every combination of the values in name=a,b",
    "--cfg job": "print the composed configuration and stop",
    "--config-dir DIR": "a folder of your own configurations, e.g. DIR/experiment/mine.yaml",
    "--hydra-help": "more flags",
}


def help_text(command: str, doc: str, composed: DictConfig, groups: Mapping[str, Sequence[str]]) -> str:
    """The page of a command; `composed` holds the values that are shown, `groups` the choices."""
    lines = [f"usage: s2robot {command} [flags] [name=value ...]", "", doc.strip()]
    lines += ["", "flags:", *(_entry(flag, meaning) for flag, meaning in FLAGS.items())]
    lines += ["", "configurations to choose from:"]
    lines += [_entry(f"{group}=", ", ".join(choices) or "(none)") for group, choices in groups.items()]
    lines += ["", "options with their values here; `...` must be given:"]
    return "\n".join([*lines, *_options(composed, "")])


def _options(node: DictConfig, prefix: str) -> Iterator[str]:
    """An entry for each option, those of a group after a line that says what it is."""
    options = OmegaConf.get_type(node)
    assert options is not None and is_dataclass(options)
    for field in fields(options):
        name = prefix + field.name
        value = None if OmegaConf.is_missing(node, field.name) else node[field.name]
        if isinstance(value, DictConfig) and is_dataclass(OmegaConf.get_type(value)):
            yield f"\n  {_first_sentence(OmegaConf.get_type(value))}"
            yield from _options(value, f"{name}.")
        else:
            shown = "..." if OmegaConf.is_missing(node, field.name) else _shown(value)
            yield _entry(f"{name}={shown}", field.metadata.get("meaning", ""))


def _entry(left: str, right: str) -> str:
    """`left`, and `right` in a column of its own."""
    lines = textwrap.wrap(right, WIDTH - COLUMN) or [""]
    first = f"  {left:<{COLUMN - 3}} " if len(left) <= COLUMN - 3 else f"  {left}\n{'':{COLUMN}}"
    return ("\n" + " " * COLUMN).join([first + lines[0], *lines[1:]]).rstrip()


def _shown(value: Any) -> str:
    """A value as it is typed on the command line."""
    plain: Any = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if isinstance(plain, list):
        return f"[{','.join(map(_shown, plain))}]"
    if isinstance(plain, dict):
        return "{" + ",".join(f"{key}:{_shown(item)}" for key, item in plain.items()) + "}"
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    return str(plain)


def _first_sentence(options: Any) -> str:
    return " ".join((options.__doc__ or options.__name__).split()).partition(". ")[0].rstrip(".")
