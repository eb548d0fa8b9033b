"""Is one policy better than another? The same seeds for both; the episodes in which they differ decide.

Two policies that meet the same starts are compared start by start, which needs far fewer episodes than
two success rates side by side: McNemar's test and Newcombe's interval, see `difference.py`.
"""

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2robot.errors import UserError, number_of
from s2robot.evaluation.difference import mcnemar_p, paired_interval
from s2robot.evaluation.episodes_file import planned, read_episodes
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.files import read_text
from s2robot.rollouts.results import EpisodeResult

SHOWN = 10  # seeds that are listed in a table or a message


@dataclass(frozen=True)
class Comparison:
    """The result of paired episodes of `a` and `b`."""

    episodes: int
    successes: tuple[int, int]  # of a, of b
    success_rates: tuple[float, float]
    ci95: tuple[tuple[float, float], tuple[float, float]]  # Wilson, of each rate by itself
    only_a: list[int]  # seeds that only a solved
    only_b: list[int]
    difference: float  # rate of b less that of a
    difference_ci95: tuple[float, float]  # Newcombe's, of paired episodes
    p_value: float  # two-sided: how often two equally good policies would differ at least as much


def compare(a: Iterable[EpisodeResult], b: Iterable[EpisodeResult]) -> Comparison:
    """Compare two policies' episodes, seed by seed. Raises `UserError` unless both ran the same seeds."""
    solved_a, solved_b = ({result.seed: result.success for result in results} for results in (a, b))
    if differing := sorted(solved_a.keys() ^ solved_b.keys()):
        listed = ", ".join(map(str, differing[:SHOWN])) + (", ..." if len(differing) > SHOWN else "")
        raise UserError(
            f"not the same seeds: {number_of(len(solved_a), 'episode')} and {len(solved_b)}; "
            f"only one of them has {listed}"
        )
    if not solved_a:
        raise UserError("there are no episodes to compare")
    successes = sum(solved_a.values()), sum(solved_b.values())
    only_a = sorted(seed for seed, solved in solved_a.items() if solved and not solved_b[seed])
    only_b = sorted(seed for seed, solved in solved_b.items() if solved and not solved_a[seed])
    n, alone_a, alone_b = len(solved_a), len(only_a), len(only_b)
    both = successes[0] - alone_a
    return Comparison(
        episodes=n,
        successes=successes,
        success_rates=(successes[0] / n, successes[1] / n),
        ci95=(wilson_interval(successes[0], n), wilson_interval(successes[1], n)),
        only_a=only_a,
        only_b=only_b,
        difference=(successes[1] - successes[0]) / n,
        difference_ci95=paired_interval(both, alone_a, alone_b, n - both - alone_a - alone_b),
        p_value=mcnemar_p(alone_a, alone_b),
    )


def compare_folders(a: Path, b: Path) -> Comparison:
    """Compare two evaluations on disk; each path is an evaluation folder or a run with one evaluation.

    Raises `UserError` naming what differs when environment or seeds are not the same.
    """
    return compare(*episodes_of([a, b]))


def episodes_of(paths: Sequence[Path]) -> list[list[EpisodeResult]]:
    """The episodes of evaluations of one environment, see `compare_folders`.

    Raises `UserError` naming what differs when the environments are not the same.
    """
    folders = [evaluation_folder(path) for path in paths]
    first, *others = [_plan(folder) for folder in folders]
    for folder, plan in zip(folders[1:], others, strict=True):
        for key, name, same in SAME:
            if not same(first.get(key), plan.get(key)):
                raise UserError(
                    f"not the same {name}: {first.get(key)} in {folders[0]}, {plan.get(key)} in {folder}"
                )
    plans = zip(folders, [first, *others], strict=True)
    return [planned(read_episodes(one / "episodes.jsonl"), plan.get("seeds")) for one, plan in plans]


def _one_environment(a: Any, b: Any) -> bool:
    """Whether two ids name one environment: `module:Name-v0` is `Name-v0` where its module was imported."""
    if not (isinstance(a, str) and isinstance(b, str)):
        return bool(a == b)
    (module_a, _, name_a), (module_b, _, name_b) = a.rpartition(":"), b.rpartition(":")
    return name_a == name_b and (module_a == module_b or not (module_a and module_b))


# What evaluations that are compared have in common: of their plan the key, its name, and when it is the same.
SAME: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("env_id", "environment", _one_environment),
    ("env_kwargs", "environment arguments", operator.eq),
)


def table(comparison: Comparison, a: str, b: str) -> list[str]:
    """A comparison as lines of text; `a` and `b` name the two."""
    width = max(len(a), len(b))
    lines = []
    columns = zip((a, b), comparison.successes, comparison.success_rates, comparison.ci95, strict=True)
    for name, successes, rate, (low, high) in columns:
        lines.append(
            f"{name:{width}}  {successes} of {comparison.episodes} = {rate:.1%} [{low:.1%}, {high:.1%}]"
        )
    for name, seeds in ((a, comparison.only_a), (b, comparison.only_b)):
        listed = "".join(f" {seed}" for seed in seeds[:SHOWN]) + (" ..." if len(seeds) > SHOWN else "")
        lines.append(f"{f'only {name}':{width + 5}}  {len(seeds)} {'seeds:' if seeds else 'seeds'}{listed}")
    lines.append(f"difference of {b}: {points(comparison.difference, comparison.difference_ci95)}")
    lines.append(f"exact McNemar test, two-sided: p = {comparison.p_value:.3g}")
    return lines


def points(difference: float, interval: tuple[float, float]) -> str:
    """`+12.0 points [+2.3, +21.2]`: a difference of rates with its interval."""
    low, high = (100 * limit for limit in interval)
    return f"{100 * difference:+.1f} points [{low:+.1f}, {high:+.1f}]"


def evaluation_folder(path: Path) -> Path:
    """`path` if it is an evaluation, else the one below it if it is a run. Raises `UserError` for others."""
    if (path / "episodes.jsonl").is_file():
        return path
    found = sorted(file.parent for file in path.glob("eval/*/episodes.jsonl"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(folder.name for folder in found)
        raise UserError(f"{path} has several evaluations ({names}); name one, e.g. {found[0]}")
    raise UserError(
        f"no evaluated episodes in {path} (neither episodes.jsonl nor eval/<name>/episodes.jsonl)"
    )


def weights_of(path: Path) -> str:
    """`step 3000, weights 1a2b3c4d`: what was evaluated, as far as its plan says; "" where it does not."""
    known = identity_of(path)
    parts = [f"step {known['step']}"] if "step" in known else []
    return ", ".join([*parts, *([f"weights {str(known['weights'])[:8]}"] if "weights" in known else [])])


def identity_of(path: Path) -> Mapping[str, Any]:
    """What the plan of an evaluation says about what was evaluated."""
    identity = _plan(evaluation_folder(path)).get("identity")
    return identity if isinstance(identity, dict) else {}


def _plan(folder: Path) -> Mapping[str, Any]:
    file = folder / "seeds.json"
    try:
        plan = json.loads(read_text(file))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} does not name the environment: {error}") from error
    if not isinstance(plan, dict):
        raise UserError(f"{file} does not name the environment: it holds no JSON object")
    return plan
