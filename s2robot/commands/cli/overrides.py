"""What a user typed behind `s2robot train` or `s2robot eval`, looked at before Hydra sees it.

Hydra refuses unknown names but does not say which was meant, and notices what is wrong with the last
job of a sweep when the others have run.
"""

import difflib
import shlex
from collections.abc import Collection, Mapping, Sequence
from itertools import product

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2robot.commands.cli.composition import Configurations
from s2robot.commands.cli.quoting import quoted_whole
from s2robot.errors import UserError, unknown_name

MOVED = {  # options of version 0.1, and what is said instead
    "action_steps": "policy.action_steps=N",
    "policy.network": "policy=bc_gmm, policy=bc_rnn_gmm or policy=bc_transformer_gmm",
}


def check_overrides(
    configurations: Configurations,
    overrides: Sequence[str],
    sweep: bool = False,
    folder: Sequence[str] = (),
) -> list[str]:
    """The overrides as Hydra wants them: new keys of free dictionaries are marked with `++`.

    Raises `UserError` with the nearest name for an unknown key or choice, in any job of a sweep, and when
    jobs agree in all options of `folder`, which say where a job writes.
    """
    parsed = configurations.parse(overrides)
    jobs = list(product(*map(_values, parsed)))
    if any(override.key_or_group == "hydra.sweep.subdir" for override in parsed):
        folder = ()  # with hydra.job.chdir jobs of one run_dir write into folders of their own
    if len(jobs) > 1 and not sweep:
        several = next(override.input_line for override in parsed if override.is_sweep_override())
        raise UserError(
            f"{several} names several values: add -m to run them all, write [a,b] for a list, or quote a "
            f"name with a comma twice, as in {shlex.quote(quoted_whole(several))}"
        )
    groups = configurations.groups
    marks: list[str] = []
    folders = []
    for job in jobs:
        marks = _marks(configurations, groups, parsed, job)
        composed = configurations.compose([mark + text for mark, text in zip(marks, job, strict=True)])
        folders.append([_resolved(composed, key) for key in folder])
    if folder and any(where in folders[:i] for i, where in enumerate(folders) if None not in where):
        raise UserError(
            f"jobs of this sweep would write to one place; let {' or '.join(folder)} depend on what varies, "
            f"as in {folder[-1]}='...${{option}}...'"
        )
    return [mark + text for mark, text in zip(marks, overrides, strict=True)]


def _values(override: Override) -> list[str]:
    """An override with each of its values."""
    if override.is_sweep_override():
        return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
    return [override.input_line or ""]


def _marks(
    configurations: Configurations,
    groups: Mapping[str, Collection[str]],
    parsed: Sequence[Override],
    job: Sequence[str],
) -> list[str]:
    """What is to be put before each override of a job: `++` for a new key of a free dictionary."""
    chosen = [text for override, text in zip(parsed, job, strict=True) if override.key_or_group in groups]
    for text in chosen:
        group, _, choice = text.partition("=")
        if group in groups and choice not in {*groups[group], "null"}:  # a group may be deleted with ~
            missing = unknown_name(group, choice, groups[group])
            raise UserError(f"{missing}; your own are in --config-dir DIR, a plugin's with plugins=[module]")
    known = configurations.compose(chosen)
    return [_mark(override, groups, known) for override in parsed]


def _mark(override: Override, groups: Collection[str], known: DictConfig) -> str:
    key = override.key_or_group
    if key in groups or override.is_hydra_override() or override.is_delete():
        return ""
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(known, parent) if parent else known
    free = _is_free(node) or _takes_mapping(known, parent)
    if not free and not (isinstance(node, DictConfig) and last in list(node.keys())):
        if key in MOVED:
            raise UserError(f"{key} is no option any more; say {MOVED[key]}")
        near = difflib.get_close_matches(key, [*groups, *_paths(known)], n=1, cutoff=0)[0]
        raise UserError(f"unknown option {key!r}; did you mean {near!r}? --help shows all")
    free = free or _is_free(OmegaConf.select(known, key, throw_on_missing=False))  # name={key:value}
    return "++" if free and not (override.is_add() or override.is_force_add()) else ""


def _is_free(node: object) -> bool:
    """Whether any key may be set in a dictionary."""
    return isinstance(node, DictConfig) and OmegaConf.get_type(node) is dict


def _takes_mapping(known: DictConfig, key: str) -> bool:
    """Whether an option that is no dictionary now may be one, as `data.cameras`: its field says so."""
    parent, _, name = key.rpartition(".")
    group = OmegaConf.get_type(OmegaConf.select(known, parent)) if parent else None
    field = getattr(group, "__dataclass_fields__", {}).get(name)
    return field is not None and field.metadata.get("mapping", False)


def _resolved(composed: DictConfig, key: str) -> str | None:
    """An option's value; None if it is missing or only Hydra can tell (`${hydra:...}`)."""
    written = OmegaConf.to_container(composed, resolve=False)
    if isinstance(written, dict) and "${hydra:" in str(written.get(key)):
        return None  # in a process that composed before, Hydra would tell of that job
    try:
        value = OmegaConf.select(composed, key)
    except OmegaConfBaseException:
        return None
    return None if value is None else str(value)


def _paths(node: DictConfig, prefix: str = "") -> list[str]:
    """Dotted names of all options."""
    paths = []
    for key in map(str, node):
        value = None if OmegaConf.is_missing(node, key) else node[key]
        if isinstance(value, DictConfig) and len(value):
            paths += _paths(value, f"{prefix}{key}.")
        else:
            paths.append(f"{prefix}{key}")
    return paths
