"""The six tasks by one recipe on frozen features: tasks x scales x training seeds, 100 unseen starts each.

    python benchmarks/precise.py                                   # every cell
    python benchmarks/precise.py --tasks thread_nut --seeds 0      # one training on each set of scales

500 demonstrations of the scripted expert, `experiment=precise`. The trainings of one seed have the same
starts, so 224 + 448 and 224 alone are compared in pairs; those of another seed have other starts. A cell
whose results are in docs/results/precise is not run again, and what was stopped goes on. Collecting, features
and one training of a task take about an hour on two CPU cores; `--precision bf16` trains faster on a CPU with
AVX512-BF16 or AMX, and the cell's config.yaml has it. The table is that of docs/evidence.md, which
`make tables` rebuilds.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import common
import results
from paper_tables import success_table
from results import Planned

import envs
from s2robot.evaluation.seeds import FIRST_SEED
from s2robot.training.options import PRECISIONS

EXPERIMENT = "precise"
EPISODES, DEMONSTRATIONS = 100, 500
TRAINING_SEEDS = (0, 1, 2)
TASKS = {
    "pick_cube": "s2robot/PickCube-v0",
    "pick_small": "s2robot/PickSmall-v0",
    "stack_cube": "s2robot/StackCube-v0",
    "thread_nut": "s2robot/ThreadNut-v0",
    "peg_insertion": "s2robot/PegInsertion-v0",
    "place_by_colour": "s2robot/PlaceByColour-v0",
}
FAR = (  # where a camera in the hand has the fine grid
    "encoder.camera_sizes.agentview=[224]",
    "encoder.camera_grids.agentview=[14,14]",
)
SCALES: Mapping[str, tuple[str, ...]] = {
    "lite0_224_448": (),
    "lite0_224": ("encoder.sizes=[224]", "encoder.output_grid=[14,14]"),
}


def run(cell: Planned, arguments: argparse.Namespace) -> None:
    """Demonstrations, features, training and evaluation of a cell, as far as they are not there."""

    def data() -> Path:
        path = arguments.out / f"{cell.task}.hdf5"
        return common.demonstrations(path, TASKS[cell.task], episodes=DEMONSTRATIONS)

    in_hand = envs.KNOWN[TASKS[cell.task]].kwargs.get("wrist_camera", True)
    far = FAR if in_hand else ()
    options = *SCALES[cell.encoder], *far, f"optim.precision={arguments.precision}"
    starts = f"seed={FIRST_SEED + EPISODES * cell.seed}"
    folders = arguments.results, arguments.out
    results.run(cell, EXPERIMENT, folders, data, options, EPISODES, starts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--scales", nargs="+", default=list(SCALES), choices=SCALES)
    parser.add_argument("--seeds", nargs="+", type=int, default=TRAINING_SEEDS, help="of training")
    parser.add_argument(
        "--precision", default="fp32", choices=PRECISIONS, help="of the training's arithmetic"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/precise"), help="demonstrations and runs")
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for task in arguments.tasks:
        for seed in arguments.seeds:
            for scales in arguments.scales:
                run(Planned(task, scales, seed), arguments)
    print("", *success_table(results.read_cells(EXPERIMENT, arguments.results)), sep="\n")


if __name__ == "__main__":
    main()
