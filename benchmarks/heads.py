"""Heads and output grids on PickSmall, each beside `mean` on the same features: 3 trainings, 100 episodes.

    python benchmarks/heads.py
    python benchmarks/heads.py --heads mean attention --grids 14 28 --seeds 0 1 2 --episodes 100 --steps 3000
    python benchmarks/heads.py --heads mean tokens --options policy=diffusion_transformer

All see the same starts. `p` is of McNemar's exact test over all pairs (training seed, start) with `mean`: it
tests whether these trainings differ; how much trainings of one kind differ among themselves is in the rates.
By default the heads that give a vector from the grid alone: `cls` needs an encoder with prefix tokens
(`--options encoder=...`), `tokens` a policy that is a transformer.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import common

from s2robot.evaluation.comparison import compare
from s2robot.policies.heads import HEADS
from s2robot.rollouts.results import EpisodeResult

ENV_ID, IMAGE_SIZE, DEMONSTRATIONS = "s2robot/PickSmall-v0", 672, 240
BASE = "mean"
DEFAULT = sorted(name for name, head in HEADS.items() if not (head.gives_tokens or head.reads_prefix))
SEEDS_APART = 10**9  # episodes of different trainings are different pairs


def evaluate(head: str, grid: int, seed: int, arguments: argparse.Namespace) -> list[EpisodeResult]:
    """The episodes of one training."""
    run_dir = arguments.out / f"{head}_{grid}x{grid}_seed{seed}"
    common.trained(
        run_dir,
        f"data.path={arguments.data}",
        f"policy.head={head}",
        f"encoder.output_grid=[{grid},{grid}]",
        f"seed={seed}",
        f"optim.steps={arguments.steps}",
        *arguments.options,
    )
    results = common.evaluated(run_dir, "default", arguments.episodes)
    return [replace(result, seed=seed * SEEDS_APART + result.seed) for result in results]


def row(grid: int, head: str, trainings: Sequence[list[EpisodeResult]], base: list[EpisodeResult]) -> str:
    rates = " ".join(f"{sum(e.success for e in episodes) / len(episodes):6.1%}" for episodes in trainings)
    pooled = [episode for episodes in trainings for episode in episodes]
    line = f"{f'{grid}x{grid}':7}{head:17}{rates}   {common.rate(pooled):34}"
    if head == BASE or not base:
        return line
    pair = compare(pooled, base)
    gained = pair.success_rates[0] - pair.success_rates[1]
    return f"{line}{100 * gained:+7.1f}  (+{len(pair.only_a)} -{len(pair.only_b)}, p = {pair.p_value:.2g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--heads", nargs="+", default=DEFAULT, choices=sorted(HEADS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of training")
    parser.add_argument("--grids", nargs="+", type=int, default=[14, 28], help="cells a side")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--data", type=Path, default=Path("runs/small240/demos.hdf5"), help="made if missing")
    parser.add_argument("--out", type=Path, default=Path("runs/heads"))
    parser.add_argument("--options", nargs="+", default=[], help="more for the training, e.g. policy=flow")
    arguments = parser.parse_args()
    arguments.data, arguments.out = (path.resolve() for path in (arguments.data, arguments.out))
    common.demonstrations(arguments.data, ENV_ID, "--image-size", str(IMAGE_SIZE), episodes=DEMONSTRATIONS)
    heads = sorted(arguments.heads, key=lambda head: head != BASE)  # what the others are compared with first

    rates = f"success of seeds {', '.join(map(str, arguments.seeds))}"
    rows = [f"{'grid':7}{'head':17}{rates:23} {'all [95% interval]':34}{'points against mean':>12}"]
    for grid in arguments.grids:
        base: list[EpisodeResult] = []
        for head in heads:
            trainings = [evaluate(head, grid, seed, arguments) for seed in arguments.seeds]
            if head == BASE:
                base = [episode for episodes in trainings for episode in episodes]
            rows.append(row(grid, head, trainings, base))
            common.say(rows[-1])
    print("", *rows, sep="\n")


if __name__ == "__main__":
    main()
