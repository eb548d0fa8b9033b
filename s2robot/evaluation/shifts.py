"""How a policy fares where the scene differs from training: what is shifted, and the table of the results.

The shifts are arguments of this project's own tabletop tasks. Each is evaluated on the same seeds, so that
starts are the same but for `positions`, and success is compared start by start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2robot.evaluation.comparison import Comparison, compare, points
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.rollouts.results import EpisodeResult

NONE = "none"
SHIFTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    NONE: ("the scene of training", {}),
    "positions": ("objects start around the area of training", {"starts": "around"}),
    "colours": ("other colours of table, mat and object", {"vary_scene": ["colours"]}),
    "light": ("another direction and strength of the light", {"vary_scene": ["light"]}),
    "textures": ("textures on table and mat", {"vary_scene": ["textures"]}),
    "camera": ("agentview moved by up to 8 cm along each axis", {"vary_scene": ["camera"]}),
    "distractors": ("three things beside the task", {"vary_scene": ["distractors"]}),
}


@dataclass(frozen=True)
class Shifted:
    """The result under one shift, beside that in the scene of training."""

    shift: str
    meaning: str
    successes: int
    episodes: int
    ci95: tuple[float, float]
    comparison: Comparison | None  # none for the scene of training itself


def shifted(results: Mapping[str, Sequence[EpisodeResult]]) -> list[Shifted]:
    """A row for each shift, from its episodes; those of `NONE` must be among them."""
    rows = []
    for shift, episodes in results.items():
        successes, n = sum(result.success for result in episodes), len(episodes)
        comparison = None if shift == NONE else compare(results[NONE], episodes)
        meaning = SHIFTS[shift][0]
        rows.append(Shifted(shift, meaning, successes, n, wilson_interval(successes, n), comparison))
    return rows


def table(rows: Sequence[Shifted]) -> list[str]:
    """The rows as lines of text."""
    lines = []
    for row in rows:
        low, high = row.ci95
        rate = (
            f"{row.successes} of {row.episodes} = {row.successes / row.episodes:.1%} [{low:.1%}, {high:.1%}]"
        )
        beside = ""
        if row.comparison is not None:
            difference = points(row.comparison.difference, row.comparison.difference_ci95)
            beside = f"  {difference}, p = {row.comparison.p_value:.3g}"
        lines.append(f"{row.shift:12} {rate:38}{beside:46}  {row.meaning}".rstrip())
    return lines
