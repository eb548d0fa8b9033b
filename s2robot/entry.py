"""How `train.py` and `eval.py` start: Hydra's command line, mistakes answered in one line.

Hydra refuses unknown names but does not say which was meant, so the overrides are looked at first.
"""

import difflib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gymnasium
import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot import config
from s2robot.errors import UserError, unknown_name

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
BAD_INPUT = 2  # exit status

Config = TypeVar("Config")


def run(main: Callable[[Config], None], config_name: str) -> None:
    """Compose `configs/<config_name>.yaml` with the command line and call `main` with the dataclass."""
    config.register()
    overrides = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    with one_line_errors():
        checked = check_overrides(config_name, overrides)
    sys.argv[1:] = [word for word in sys.argv[1:] if word not in overrides] + checked

    @hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=config_name)
    def hydra_main(composed: DictConfig) -> None:
        with one_line_errors():
            main(typed(composed))

    hydra_main()


def typed(composed: DictConfig) -> Any:
    """The dataclass of a composed configuration; a value that is missing is named."""
    if missing := sorted(OmegaConf.missing_keys(composed)):
        raise UserError(f"missing: {', '.join(f'{key}=...' for key in missing)} (add it to the command)")
    return OmegaConf.to_object(composed)


def compose(config_name: str, overrides: list[str]) -> DictConfig:
    """What Hydra composes from the YAML files and overrides. Raises `UserError` in one line."""
    config.register()
    try:
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            return hydra.compose(config_name, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise UserError(f"{' '.join(overrides)}: {reason}") from error


def check_overrides(config_name: str, overrides: list[str]) -> list[str]:
    """The overrides as Hydra wants them: new keys of free dictionaries are marked with `++`.

    Raises `UserError` with the nearest name for an unknown key or choice.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except HydraException as error:
        raise UserError(" ".join(str(error).split())) from error
    groups = {folder.name for folder in CONFIGS.iterdir() if folder.is_dir()}
    chosen = []
    for override in parsed:
        key = override.key_or_group
        if key in groups:
            chosen.append(override.input_line or "")
            names = {file.stem for file in (CONFIGS / key).glob("*.yaml")}
            choices = override.sweep_iterator() if override.is_sweep_override() else [override.value()]
            for choice in choices:
                if choice is not None and str(choice) not in names:
                    raise unknown_name(key, str(choice), names)
    if any(override.is_sweep_override() for override in parsed):
        return overrides  # each job is checked by Hydra when it runs
    known = compose(config_name, chosen)
    checked = []
    for override, text in zip(parsed, overrides, strict=True):
        checked.append(text)
        key = override.key_or_group
        if key in groups or key.startswith("hydra") or override.is_add() or override.is_delete():
            continue
        parent, _, last = key.rpartition(".")
        node = OmegaConf.select(known, parent) if parent else known
        free = isinstance(node, DictConfig) and OmegaConf.get_type(node) is dict  # any key may be set
        if not isinstance(node, DictConfig) or not (free or last in list(node.keys())):
            near = difflib.get_close_matches(key, _paths(known), n=1, cutoff=0)[0]
            raise UserError(f"unknown option {key!r}; did you mean {near!r}? --help shows all")
        if free and not text.startswith("+"):
            checked[-1] = f"++{text}"
    compose(config_name, checked)
    return checked


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a user's mistake as one line and exit with status 2."""
    try:
        yield
    except (UserError, gymnasium.error.Error) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _paths(node: DictConfig, prefix: str = "") -> list[str]:
    """Dotted names of all options."""
    paths = []
    for key in node:
        value = None if OmegaConf.is_missing(node, key) else node[key]
        if isinstance(value, DictConfig) and len(value):
            paths += _paths(value, f"{prefix}{key}.")
        else:
            paths.append(f"{prefix}{key}")
    return paths
