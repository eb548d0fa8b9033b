"""How `s2robot train` and `s2robot eval` start: Hydra's command line, mistakes answered in one line."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot import commands, plugins
from s2robot.commands.cli.composition import CONFIGS, Configurations
from s2robot.commands.cli.console import one_line_errors
from s2robot.commands.cli.help import help_text
from s2robot.commands.cli.launchers import chosen_launcher
from s2robot.commands.cli.options import COMMANDS, TrainConfig
from s2robot.commands.cli.overrides import check_overrides
from s2robot.commands.cli.quoting import expand_home, quoted_paths
from s2robot.commands.cli.reasons import reason
from s2robot.commands.cli.sweeps import DEFECT, Sweep, folders, where_typed
from s2robot.errors import UserError
from s2robot.processes.starting import safe_children


def run(command: str, words: Sequence[str], doc: str) -> None:
    """Compose `configs/<command>.yaml` with the words and call the command's `main` with the dataclass.

    Its module is imported only then, because it imports PyTorch. `doc` is shown by `--help`.
    """
    arguments = _parse(words)
    flags = [word for word in words if word not in arguments.overrides]
    arguments.overrides = quoted_paths(arguments.overrides)
    configurations = Configurations(command, arguments.overrides, arguments.config_dir)
    launcher = chosen_launcher(configurations.parse(arguments.overrides), arguments.multirun)
    places = COMMANDS[command].WRITES_TO
    overrides = check_overrides(configurations, arguments.overrides, arguments.multirun, places)
    if arguments.help:
        print(help_text(command, doc, configurations.compose(overrides), configurations.groups))
        return
    if not arguments.multirun:
        _hydra(Task(command), [*flags, *overrides])
        return
    with folders(configurations.text(overrides), launcher) as (outcomes, told):
        sweep = Sweep(configurations.parse(overrides), launcher, outcomes)
        with safe_children():
            try:
                _hydra(Task(command, sweep, plugins.loaded()), [*flags, *told, *overrides])
            except SystemExit as exit_:
                if exit_.code != DEFECT:  # a signal; else Hydra has told what was wrong with the launcher
                    raise
                sweep.conclude()
                raise
        sweep.conclude()


@dataclass
class Task:
    """What Hydra calls with the composed options of a job; can be sent to another process."""

    command: str
    sweep: Sweep | None = None
    modules: Sequence[str] = ()  # plugins that were loaded by name

    def __call__(self, composed: DictConfig) -> None:
        with ExitStack() as job:
            job.enter_context(self.sweep.job() if self.sweep else one_line_errors())
            plugins.load(self.modules)
            options = typed(composed)
            if isinstance(options, TrainConfig):
                options.run_dir = where_typed(options.run_dir)
            import_module(f"{commands.__name__}.{self.command}").main(options)


def _hydra(task: Task, words: Sequence[str]) -> None:
    sys.argv[1:] = words
    hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=task.command)(task)()


def options_of(command: str, overrides: Sequence[str]) -> Any:
    """The options dataclass that `s2robot <command> <overrides>` is given. Raises `UserError`."""
    overrides = quoted_paths(overrides)
    configurations = Configurations(command, overrides)
    return typed(configurations.compose(check_overrides(configurations, overrides)))


def typed(composed: DictConfig) -> Any:
    """The dataclass of a composed configuration. Raises `UserError` for values that miss or cannot be."""
    try:
        if missing := sorted(OmegaConf.missing_keys(composed)):
            told = ", ".join(f"{key}=..." for key in missing)
            raise UserError(f"missing: {told} (add it to the command)")
        options: Any = OmegaConf.to_object(composed)
        expand_home(options)
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
    for flag in ("config_path", "config_name", "experimental_rerun"):
        if getattr(arguments, flag) is not None:
            told = "your own configurations belong in a folder given by --config-dir"
            raise UserError(f"--{flag.replace('_', '-')} is not taken; {told}")
    return arguments
