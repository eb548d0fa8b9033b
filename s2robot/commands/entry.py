"""How `train.py` and `eval.py` start: Hydra's command line, mistakes answered in one line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeVar

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot.commands.console import one_line_errors
from s2robot.commands.options import register
from s2robot.commands.overrides import CONFIGS, check_overrides, reason
from s2robot.errors import UserError

Config = TypeVar("Config")


def run(main: Callable[[Config], None], config_name: str, folder: Sequence[str]) -> None:
    """Compose `configs/<config_name>.yaml` with the command line and call `main` with the dataclass.

    `folder` names the options that say where a job writes: no two jobs of a sweep may agree in them.
    """
    register()
    with one_line_errors():
        arguments = _parse(sys.argv[1:])
        overrides = check_overrides(config_name, arguments.overrides, arguments.multirun, folder)
    flags = [word for word in sys.argv[1:] if word not in arguments.overrides]

    @hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=config_name)
    def hydra_main(composed: DictConfig) -> None:
        with one_line_errors():
            main(typed(composed))

    # Hydra writes into a folder for a whole sweep; what is to be kept of it is in the run folders
    place = TemporaryDirectory(prefix="s2robot-sweep-") if arguments.multirun else nullcontext()
    with place as scratch:
        sweep = [f"hydra.sweep.dir={scratch}"] if arguments.multirun else []
        sys.argv[1:] = [*flags, *sweep, *overrides]
        hydra_main()


def typed(composed: DictConfig) -> Any:
    """The dataclass of a composed configuration. Raises `UserError` for values that miss or cannot be."""
    try:
        if missing := sorted(OmegaConf.missing_keys(composed)):
            told = ", ".join(f"{key}=..." for key in missing)
            raise UserError(f"missing: {told} (add it to the command)")
        options: Any = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise UserError(reason(error)) from error
    options.check()
    return options


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Hydra's flags and the overrides of a command line."""

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}; options are given as name=value, --help shows them")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    arguments = parser.parse_intermixed_args(words)
    for flag in ("config_path", "config_name", "config_dir", "experimental_rerun"):
        if getattr(arguments, flag) is not None:
            raise UserError(f"--{flag.replace('_', '-')} is not taken; configurations belong in {CONFIGS}")
    return arguments
