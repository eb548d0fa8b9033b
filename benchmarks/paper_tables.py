"""The tables of docs/paper.md, from the cells of docs/results/paper_cube."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from jaxtyping import Bool
from results import Cell, pooled

from s2robot.evaluation.comparison import compare
from s2robot.evaluation.difference import mcnemar_p
from s2robot.evaluation.power import paired_power
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.evaluation.trainings import difference_interval, over_trainings

BASE = "lite0_224"  # what the others are compared with
BASES = dict.fromkeys(("whole", "add", "interpolated"), "lite0_224_448") | {
    name: "mvp_b_224" for name in ("mvp_b_224_448", "mvp_l_256")
}
POINTS = 0.10  # difference whose power is said

HEADER = (
    "| task | encoder | parameters | GFLOPs | success of each training | all, over starts | "
    "over trainings | beside | points, given these trainings | points, over trainings |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def success_table(cells: Sequence[Cell]) -> list[str]:
    """Each encoder's success on each task; brackets are 95% intervals.

    Over starts: Wilson's, of all episodes of these trainings. Over trainings: Student's t, of their rates.
    Points: of success beside the encoder named, on the same starts after trainings of the same seeds; given
    these trainings with Newcombe's interval and McNemar's p, over trainings with a bootstrap over both.
    """
    groups = by_encoder(cells)
    return [HEADER, *(_row(group, groups) for group in groups.values())]


def by_encoder(cells: Sequence[Cell]) -> dict[tuple[str, str], list[Cell]]:
    """(task, encoder) -> the cells of its trainings, in the order of their seeds; small networks first."""

    def key(cell: Cell) -> tuple[str, str]:
        return cell.labels["task"], cell.labels["encoder"]

    in_order = sorted(cells, key=lambda cell: (*key(cell), cell.labels["seed"]))
    groups = {name: list(group) for name, group in groupby(in_order, key)}
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], *_cost(item[1][0]), item[0][1])))


def power_lines(cells: Sequence[Cell]) -> list[str]:
    """How likely these numbers of paired episodes are to show ten points, at the base's success."""
    lines = []
    for (task, encoder), group in by_encoder(cells).items():
        if encoder != BASE:
            continue
        n, rate = sum(len(cell.episodes) for cell in group), _rate(group)
        other = rate + POINTS if rate + POINTS < 1 else rate - POINTS
        power = paired_power(rate, other, n) if 0 < rate < 1 else float("nan")
        lines.append(
            f"- {task}: {n} paired episodes show {rate:.1%} against {other:.1%} with a chance of {power:.0%} "
            f"(outcomes of one start independent; {len(group)} training{'s' * (len(group) > 1)} given)"
        )
    return lines


def _row(group: Sequence[Cell], groups: dict[tuple[str, str], list[Cell]]) -> str:
    task, encoder = group[0].labels["task"], group[0].labels["encoder"]
    sizes = group[0].summary["sizes"]
    _, gflops = _cost(group[0])
    each = ", ".join(str(cell.successes) for cell in group)
    episodes = sum(len(cell.episodes) for cell in group)
    low, high = wilson_interval(sum(cell.successes for cell in group), episodes)
    spread = over_trainings([cell.successes / len(cell.episodes) for cell in group]).ci95
    columns = [
        task,
        encoder,
        f"{sizes['encoder_parameters'] / 1e6:.2f} M",
        f"{gflops:.2f}",
        f"{each} of {len(group[0].episodes)}",
        f"{_rate(group):.1%} [{100 * low:.1f}, {100 * high:.1f}]",
        "" if spread is None else f"[{100 * spread[0]:.1f}, {100 * spread[1]:.1f}]",
    ]
    name = BASES.get(encoder, BASE)
    base = groups.get((task, name), [])
    return "| " + " | ".join([*columns, *_beside(name, base, group)]) + " |"


def _beside(name: str, base: Sequence[Cell], group: Sequence[Cell]) -> list[str]:
    """The last three columns; empty where there is nothing to compare with."""
    seeds = {cell.labels["seed"] for cell in base} & {cell.labels["seed"] for cell in group}
    if not seeds or base is group or name == group[0].labels["encoder"]:
        return ["", "", ""]
    a, b = ([cell for cell in cells if cell.labels["seed"] in seeds] for cells in (base, group))
    pair = compare(pooled(a), pooled(b))
    low, high = pair.difference_ci95
    p = mcnemar_p(len(pair.only_a), len(pair.only_b))
    given = f"{100 * pair.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}], p = {p:.2g}"
    if len(seeds) == 1:
        return [name, given, ""]
    low, high = difference_interval(_solved(a), _solved(b))
    return [name, given, f"[{100 * low:+.1f}, {100 * high:+.1f}]"]


def _solved(cells: Sequence[Cell]) -> Bool[np.ndarray, "trainings starts"]:
    in_order = [sorted(cell.episodes, key=lambda episode: episode.seed) for cell in cells]
    return np.array([[episode.success for episode in episodes] for episodes in in_order])


def _rate(group: Sequence[Cell]) -> float:
    return sum(cell.successes for cell in group) / sum(len(cell.episodes) for cell in group)


def _cost(cell: Cell) -> tuple[int, float]:
    """Parameters of the encoder, and 10^9 operations a frame."""
    sizes = cell.summary["sizes"]
    return sizes["encoder_parameters"], sum(camera["gflops"] for camera in sizes["cameras"].values())
