"""The S2 paper's robot experiment in simulation: encoders x tasks x training seeds, the same starts for all.

    python benchmarks/paper.py             # every cell (`make paper`)
    python benchmarks/paper.py --small     # PickSmall, one training of each encoder (`make paper-small`)
    python benchmarks/paper.py --tasks pick_small --encoders mvp_b_224 mvp_b_224_448 mvp_l_256 \
        --weights mvp_b=mvp_b.pth mvp_l=mvp_l.pth

A cell whose results are in docs/results/paper_cube is not run again, and what was stopped goes on. The
training is `experiment=paper_cube`; the tables are those of docs/paper.md, which `make tables` rebuilds.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import common
import results
from paper_tables import power_lines, success_table
from results import Planned

EXPERIMENT = "paper_cube"
EPISODES, DEMONSTRATIONS, IMAGE_SIZE = 200, 120, 672
TRAINING_SEEDS = (0, 1, 2)
TASKS = {
    "pick_small": "s2robot/PickSmall-v0",
    "stack_cube": "s2robot/StackCube-v0",
    "thread_nut": "s2robot/ThreadNut-v0",
}
ENCODERS: Mapping[str, tuple[str, ...]] = {
    "lite0_224": ("encoder=lite0", "encoder.sizes=[224]"),
    "lite0_224_448": ("encoder=lite0", "encoder.sizes=[224,448]"),
    "lite2_256": ("encoder=lite2", "encoder.tile=256", "encoder.sizes=[256]"),
    "lite0_224_448_672": ("encoder=lite0", "encoder.sizes=[224,448,672]"),
}
ABLATIONS: Mapping[str, tuple[str, ...]] = {  # of lite0_224_448, on PickSmall
    "whole": (*ENCODERS["lite0_224_448"], "encoder.tile=448"),
    "add": (*ENCODERS["lite0_224_448"], "encoder.merge=add"),
    "interpolated": ENCODERS["lite0_224_448"],  # from frames of 224 pixels
}
MVP: Mapping[str, tuple[str, ...]] = {  # the paper's own, for whoever has the weights
    "mvp_b_224": ("encoder=mvp_b", "encoder.sizes=[224]"),
    "mvp_b_224_448": ("encoder=mvp_b", "encoder.sizes=[224,448]"),
    "mvp_l_256": ("encoder=mvp_l", "encoder.sizes=[256]"),
}
ALL = {**ENCODERS, **ABLATIONS, **MVP}
SMALL = ("pick_small", ("lite0_224", "lite0_224_448", "lite2_256"), (0,))


def planned(arguments: argparse.Namespace) -> Iterator[Planned]:
    """The cells in the order in which they are run: those of --small first."""
    if arguments.small:
        task, encoders, seeds = SMALL
        yield from (Planned(task, encoder, seed) for seed in seeds for encoder in encoders)
        return
    for task in arguments.tasks:
        for seed in arguments.seeds:
            for encoder in arguments.encoders or ENCODERS:
                yield Planned(task, encoder, seed)
    if not arguments.encoders and "pick_small" in arguments.tasks:
        yield from (Planned("pick_small", name, seed) for seed in arguments.seeds for name in ABLATIONS)


def run(cell: Planned, arguments: argparse.Namespace) -> None:
    """Demonstrations, features, training and evaluation of a cell, as far as they are not there."""
    size = 224 if cell.encoder == "interpolated" else IMAGE_SIZE

    def data() -> Path:
        return common.demonstrations(
            arguments.out / f"{cell.task}_{size}.hdf5",
            TASKS[cell.task],
            *("--image-size", str(size), "--cameras", "agentview"),
            episodes=DEMONSTRATIONS,
        )

    weights = dict(word.split("=", 1) for word in arguments.weights)
    own = [f"encoder.weights={path}" for name, path in weights.items() if cell.encoder.startswith(name)]
    folders = arguments.results, arguments.out
    results.run(cell, EXPERIMENT, folders, data, (*ALL[cell.encoder], *own), EPISODES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--small", action="store_true", help="PickSmall, one training of three encoders")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--encoders", nargs="+", choices=ALL, help="default: all of Lite, and the ablations")
    parser.add_argument("--seeds", nargs="+", type=int, default=TRAINING_SEEDS, help="of training")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="ENCODER=FILE", help="e.g. mvp_b=mvp_b.pth"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/paper_cube"), help="demonstrations and runs")
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for cell in planned(arguments):
        run(cell, arguments)
    cells = results.read_cells(EXPERIMENT, arguments.results)
    print("", *success_table(cells), "", *power_lines(cells), sep="\n")


if __name__ == "__main__":
    main()
