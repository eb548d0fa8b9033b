"""What several runs have in common and in what they differ, from their configurations."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from s2robot.evaluation.pages.runs import Run

# options that say where and how fast, and nothing about what was trained
NO_SETTING = (
    "run_dir",
    "resume",
    "overwrite",
    "device",
    "wandb",
    "wandb_project",
    "features.root",
    "features.tier",
)
SEED = "seed"
# columns that a reader wants first where many options differ
FIRST = (
    "policy.name",
    "policy.head",
    "encoder.name",
    "encoder.sizes",
    "encoder.output_grid",
    "data.path",
    "seed",
)
COLUMNS = 6


def flat(plain: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested options by their dotted names, each value as text; what is no setting is left out."""
    found = dict[str, str]()
    for key, value in plain.items():
        name = f"{prefix}{key}"
        if name in NO_SETTING:
            continue
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = value if isinstance(value, str) else json.dumps(value, default=str)
    return found


def differing(runs: Sequence[Run]) -> list[str]:
    """The options that all runs have and that differ, at most `COLUMNS`, the telling ones first."""
    settings = [flat(run.config) for run in runs if run.config]
    if len(settings) < 2:
        return []
    common = [key for key in settings[0] if all(key in one for one in settings)]
    found = [key for key in common if len({one[key] for one in settings}) > 1]
    return sorted(found, key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST))[:COLUMNS]


def over_seeds(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs in groups that differ in nothing but the training seed; a run without options is alone."""
    groups = defaultdict[str, list[Run]](list)
    for i, run in enumerate(runs):
        settings = flat(run.config)
        settings.pop(SEED, None)
        groups[json.dumps(settings, sort_keys=True) if settings else f"run {i}"].append(run)
    return list(groups.values())


def by_value(key: str, rates: Sequence[tuple[Run, float]]) -> list[tuple[str, int, float]]:
    """Each value of an option: how many runs have it, and the mean of their success rates; the best first."""
    groups = defaultdict[str, list[float]](list)
    for run, rate in rates:
        if (value := flat(run.config).get(key)) is not None:
            groups[value].append(rate)
    table = [(value, len(found), sum(found) / len(found)) for value, found in groups.items()]
    return sorted(table, key=lambda row: -row[2])
