"""Several policies, each trained once or several times, evaluated on the same starts."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from s2robot.errors import UserError
from s2robot.evaluation.comparison import (
    compare,
    episodes_of,
    evaluation_folder,
    identity_of,
    points,
)
from s2robot.evaluation.difference import holm
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.evaluation.trainings import Trainings, difference_interval, over_trainings
from s2robot.rollouts.results import EpisodeResult


@dataclass(frozen=True)
class Policy:
    """One policy's trainings, all evaluated on the same starts."""

    name: str
    successes: int  # of all trainings
    episodes: int
    ci95: tuple[float, float]  # Wilson over starts, given these trainings
    trainings: Trainings


@dataclass(frozen=True)
class Difference:
    """How much more b solves than a."""

    a: str
    b: str
    difference: float
    ci95: tuple[float, float]  # Newcombe's for one training each, else a bootstrap over trainings and starts
    p_value: float | None  # McNemar's exact test; none where a policy was trained several times
    p_holm: float | None  # the same, corrected for the number of pairs


@dataclass(frozen=True)
class Several:
    """All policies in the given order, and every pair of them."""

    policies: list[Policy]
    differences: list[Difference]


def compare_several(groups: Sequence[Sequence[Path]]) -> Several:
    """Compare policies; a group holds the evaluations (or runs with one) of a policy's trainings.

    Raises `UserError` unless all have the same environment and seeds, and where a group has a training twice.
    """
    for group in groups:
        _check_trainings(group)
    names = [",".join(map(str, group)) for group in groups]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"{repeated.pop()} is given twice; name different evaluations")
    found = iter(episodes_of([path for group in groups for path in group]))
    episodes = [[next(found) for _ in group] for group in groups]
    first = episodes[0][0]
    for results in itertools.chain(*episodes):
        compare(first, results)  # refuses other seeds
    policies = [_policy(name, trainings) for name, trainings in zip(names, episodes, strict=True)]
    pairs = list(itertools.combinations(range(len(groups)), 2))
    differences = [_difference(names[i], names[j], episodes[i], episodes[j]) for i, j in pairs]
    return Several(policies, _corrected(differences))


def table(several: Several) -> list[str]:
    """The comparison as lines of text."""
    width = max(len(policy.name) for policy in several.policies)
    lines = []
    for policy in several.policies:
        low, high = policy.ci95
        rate = f"{policy.successes} of {policy.episodes} = {policy.successes / policy.episodes:.1%}"
        lines.append(f"{policy.name:{width}}  {rate} [{low:.1%}, {high:.1%}]{_over(policy.trainings)}")
    lines.append("difference of the second from the first, in success:")
    for pair in several.differences:
        test = "" if pair.p_value is None else f"  p = {pair.p_value:.3g}, corrected {pair.p_holm:.3g}"
        lines.append(f"{pair.a:{width}}  {pair.b:{width}}  {points(pair.difference, pair.ci95)}{test}")
    return lines


def _check_trainings(group: Sequence[Path]) -> None:
    """Two evaluations of the same weights are one training, and would make its interval too narrow."""
    seen: dict[str, Path] = {}
    for path in group:
        weights = str(identity_of(path).get("weights") or evaluation_folder(path).resolve())
        if weights in seen:
            raise UserError(
                f"{seen[weights]} and {path} evaluated the same weights: they are one training, not two; "
                "name evaluations of different trainings"
            )
        seen[weights] = path


def _over(trainings: Trainings) -> str:
    if trainings.ci95 is None:
        return ""
    low, high = trainings.ci95
    middle = f"interquartile mean {trainings.interquartile_mean:.1%}"
    return f"  over {len(trainings.rates)} trainings {trainings.mean:.1%} [{low:.1%}, {high:.1%}], {middle}"


def _policy(name: str, trainings: Sequence[Sequence[EpisodeResult]]) -> Policy:
    rates = [sum(result.success for result in results) / len(results) for results in trainings]
    episodes = sum(map(len, trainings))
    successes = sum(result.success for results in trainings for result in results)
    return Policy(name, successes, episodes, wilson_interval(successes, episodes), over_trainings(rates))


def _difference(
    name_a: str, name_b: str, a: Sequence[Sequence[EpisodeResult]], b: Sequence[Sequence[EpisodeResult]]
) -> Difference:
    if len(a) == len(b) == 1:
        pair = compare(a[0], b[0])
        return Difference(name_a, name_b, pair.difference, pair.difference_ci95, pair.p_value, None)
    solved_a, solved_b = _solved(a), _solved(b)
    difference = float(solved_b.mean() - solved_a.mean())
    return Difference(name_a, name_b, difference, difference_interval(solved_a, solved_b), None, None)


def _solved(trainings: Sequence[Sequence[EpisodeResult]]) -> Bool[np.ndarray, "trainings starts"]:
    in_order = [sorted(results, key=lambda result: result.seed) for results in trainings]
    return np.array([[result.success for result in results] for results in in_order])


def _corrected(differences: Sequence[Difference]) -> list[Difference]:
    tested = [pair.p_value for pair in differences if pair.p_value is not None]
    corrected = iter(holm(tested))
    return [
        pair if pair.p_value is None else Difference(**{**vars(pair), "p_holm": next(corrected)})
        for pair in differences
    ]
