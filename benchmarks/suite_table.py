"""The six tasks at a glance, from the cells of docs/results/precise: success, and what stands in its way."""

from collections.abc import Sequence

from paper_tables import by_encoder
from results import Cell

from s2robot.evaluation.success_rate import wilson_interval

ENCODERS = ("lite0_224", "lite0_224_448")
TASKS = {  # task -> its class's name, and what the diagnosis found; see docs/evidence.md
    "pick_cube": ("PickCube", ""),
    "stack_cube": ("StackCube", ""),
    "pick_small": ("PickSmall", ""),
    "thread_nut": ("ThreadNut", "the nut is let go before it is around the peg; from the state 55 of 60"),
    "peg_insertion": ("PegInsertion", "half a millimetre must be seen; from the state, 1 mm off, 35 of 60"),
    "place_by_colour": (
        "PlaceByColour",
        "no head learns from 500 starts which slot has the part's colour; features tell it in 97%",
    ),
}
HEADER = "| task | 224 alone | 224 + 448 | what stands in the way |\n|---|---|---|---|"


def suite_table(cells: Sequence[Cell]) -> list[str]:
    """A row for each task; brackets are 95% Wilson intervals over the starts of all trainings."""
    groups = by_encoder(cells)
    rows = [HEADER]
    for task, (name, finding) in TASKS.items():
        columns = [_success(groups.get((task, encoder), [])) for encoder in ENCODERS]
        rows.append(f"| {' | '.join([name, *columns, finding])} |")
    return rows


def _success(cells: Sequence[Cell]) -> str:
    if not cells:
        return "not run"
    solved, episodes = sum(cell.successes for cell in cells), sum(len(cell.episodes) for cell in cells)
    low, high = wilson_interval(solved, episodes)
    rate = f"{solved / episodes:.1%} [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{solved} of {episodes} = {rate}"
