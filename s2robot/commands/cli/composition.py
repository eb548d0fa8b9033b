"""What Hydra composes: the project's YAML files, the registries, and a folder of the user's own."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import s2robot
from s2robot import plugins
from s2robot.commands.cli.options import HIDDEN, register
from s2robot.commands.cli.quoting import advice
from s2robot.commands.cli.reasons import reason
from s2robot.commands.cli.written import in_file, mistake
from s2robot.errors import UserError

CONFIGS = Path(s2robot.__path__[0], "configs").resolve()


class Configurations:
    """The configurations that one command can be given."""

    def __init__(self, command: str, overrides: Sequence[str] = (), config_dir: str | None = None) -> None:
        """Import the plugins that `overrides`, or the YAML files chosen there, name: they add choices.

        `config_dir` is searched after the project's own folder. Raises `UserError` if it is not there, and
        for plugins that cannot be loaded.
        """
        self.command = command
        self._kept: dict[tuple[str, ...], tuple[DictConfig, list[str]]] = {}
        version.setbase("1.3")
        search_path = create_config_search_path(str(CONFIGS))
        if config_dir is not None:
            if not Path(config_dir).is_dir():
                raise UserError(
                    f"--config-dir {config_dir}: there is no folder {Path(config_dir).absolute()}"
                )
            own = f"file://{Path(config_dir).absolute()}"
            search_path.prepend("command-line", own, SearchPathQuery(provider="schema"))
        self._loader = ConfigLoaderImpl(search_path)
        plugins.load(self._named_plugins(self.parse(overrides)))
        files = [source for source in self._loader.repository.get_sources() if source.scheme() == "file"]
        register(lambda name: any(source.is_config(name) for source in files))

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """What was typed, in Hydra's grammar. Raises `UserError` in one line."""
        parser = OverridesParser.create(config_loader=self._loader)
        parsed = []
        for text in overrides:
            if "=" not in text and not text.startswith("~"):
                raise UserError(f"{text!r} is no option; options are given as name=value")
            try:
                parsed.append(parser.parse_override(text))
            except HydraException as error:
                raise UserError(f"{text!r} cannot be understood: {reason(error)}{advice(text)}") from error
        return parsed

    def compose(self, overrides: Sequence[str] = ()) -> DictConfig:
        """The command's options. Raises `UserError` in one line."""
        composed, _ = self._composed(tuple(overrides))
        return composed

    def text(self, overrides: Sequence[str]) -> str:
        """All that was typed, and all options, references as they are written."""
        single = [one.input_line or "" for one in self.parse(overrides) if not one.is_sweep_override()]
        return "\n".join([*overrides, OmegaConf.to_yaml(self.compose(single), resolve=False)])

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The command's groups of configurations, such as `policy`, and the choices of each."""
        _, chosen = self._composed(())
        groups = [group for group in chosen if not group.startswith("hydra/")]
        return {
            group: [name for name in self._loader.get_group_options(group) if not name.startswith(HIDDEN)]
            for group in groups
        }

    def _composed(self, overrides: tuple[str, ...]) -> tuple[DictConfig, list[str]]:
        """Options and groups; kept, because composing is most of what a command costs at its start."""
        if overrides not in self._kept:
            self._kept[overrides] = self._compose(overrides)
        return self._kept[overrides]

    def _compose(self, overrides: tuple[str, ...]) -> tuple[DictConfig, list[str]]:
        try:
            composed = self._loader.load_configuration(
                self.command, list(overrides), run_mode=RunMode.RUN, from_shell=False
            )
        except (HydraException, OmegaConfBaseException, YAMLError) as error:
            raise UserError(mistake(error, self._file)) from error
        chosen = sorted(map(str, composed.hydra.runtime.choices))
        OmegaConf.set_readonly(composed, False)
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        OmegaConf.set_struct(composed, True)
        return composed, chosen

    def _named_plugins(self, parsed: Sequence[Override]) -> list[str]:
        """`plugins=[...]` as typed, else as the command's YAML file or a chosen experiment has it."""
        named: Any = self._in_file(self.command)
        for override in parsed:
            group, choice = override.key_or_group, override.value()
            if group.isidentifier() and isinstance(choice, str):  # all are read: they may be damaged
                found = self._in_file(f"{group}/{choice}")
                named = (group == "experiment" and found) or named
        for override in parsed:
            if override.key_or_group == "plugins":
                named = override.value()
        named = OmegaConf.to_container(named) if isinstance(named, ListConfig) else named
        if not isinstance(named or [], list):
            raise UserError(f"plugins={named} is no list of modules; write plugins=[{named}]")
        return [str(name) for name in named or []]

    def _in_file(self, name: str) -> Any:
        """`plugins` in a YAML file, which is not composed yet. Raises `UserError` if it cannot be read."""
        try:
            found = self._loader.repository.load_config(name)
            return None if found is None else OmegaConf.select(found.config, "plugins")
        except (YAMLError, OmegaConfBaseException, ValueError) as error:  # also of an encoding
            raise UserError(in_file(error, self._file(name))) from error

    def _file(self, name: str) -> Path | None:
        """The YAML file of a configuration, such as `experiment/mine`; None for the command's own and others.

        Hydra names the command's own where a choice that another file made is not found.
        """
        if name == self.command:
            return None
        folders = (Path(source.path) for source in self._loader.repository.get_sources())
        return next((file for one in folders if (file := one / f"{name}.yaml").is_file()), None)
