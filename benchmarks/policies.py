"""Every policy on PickCube: trained as it comes, 100 episodes on seeds that none was trained on.

    python benchmarks/policies.py                              # all registered policies
    python benchmarks/policies.py bc flow --out runs/policies
    python benchmarks/policies.py --steps-ablation             # few sampling steps beside 100, 400 seeds
    python benchmarks/policies.py --speed                      # what training takes, from 200 steps of each
    python benchmarks/policies.py --history                    # bc_paper with and without history dropout

`seconds` are those of the training's steps on this machine, validation and checkpoints included; the features
are there before. A training that took longer than five minutes is marked with `!`. Those of --speed are of
the steps alone, and true on a quiet machine.
"""

import argparse
import statistics
from pathlib import Path
from shutil import rmtree

import common
import yaml

from s2robot.commands.cli.composition import Configurations
from s2robot.evaluation.comparison import compare_folders, table
from s2robot.policies import POLICIES
from s2robot.runs import checkpoint, metrics

ENV_ID = "s2robot/PickCube-v0"
ABLATED = {"flow": 4, "diffusion_unet": 10, "diffusion_transformer": 10}  # steps that they act with
MANY_STEPS = 100
HISTORY_DROPOUTS = (0.75, 0)
TIMED_STEPS = 200
ROWS = 8  # decisions at once: a small network's many steps cost hardly more for eight than for one
LIMIT_S = 300


def train(name: str, arguments: argparse.Namespace, *more: str, out: str = "") -> tuple[Path, float]:
    """The run folder of a policy, and the seconds that training took."""
    run_dir = arguments.out / out / name
    options = ["experiment=demo", f"policy={name}", f"data.path={arguments.data}", f"seed={arguments.seed}"]
    return run_dir, common.trained(run_dir, *options, *arguments.options, *more)


def success_table(arguments: argparse.Namespace) -> list[str]:
    rows = [f"{'policy':24}{'parameters':>12}{'steps':>7}{'seconds':>9}  success [95% interval]"]
    for name in arguments.policies:
        run_dir, seconds = train(name, arguments)
        results = common.evaluated(run_dir, "default", arguments.episodes)
        loaded = checkpoint.load(run_dir / "checkpoints" / "last")
        parameters = sum(p.numel() for p in loaded.policy.parameters())
        late = "!" if seconds > LIMIT_S else " "
        columns = f"{parameters:12,}{loaded.step:7}{seconds:8.0f}{late}"
        rows.append(f"{name:24}{columns}  {common.rate(results)}")
        common.say(rows[-1])
    return rows


def steps_table(arguments: argparse.Namespace) -> list[str]:
    rows = []
    for name in (policy for policy in arguments.policies if policy in ABLATED):
        run_dir, _ = train(name, arguments)
        names = [f"{steps} steps" for steps in (ABLATED[name], MANY_STEPS)]
        for steps, folder in zip((ABLATED[name], MANY_STEPS), names, strict=True):
            options = (f"policy.inference_steps={steps}", f"batch={ROWS}")
            common.evaluated(run_dir, folder.replace(" ", "_"), arguments.episodes, *options)
        few, many = (run_dir / "eval" / folder.replace(" ", "_") for folder in names)
        rows += [f"\n{name}", *table(compare_folders(few, many), *names)]
    return rows


def history_table(arguments: argparse.Namespace) -> list[str]:
    """`bc_paper` beside itself when nothing of the past is hidden in training."""
    folders = {}
    for share in HISTORY_DROPOUTS:
        option = f"policy.history_dropout={share}"
        run_dir, _ = train("bc_paper", arguments, option, out=f"history_{share}")
        common.evaluated(run_dir, "default", arguments.episodes)
        folders[option] = run_dir / "eval" / "default"
    return table(compare_folders(*folders.values()), *folders)


def speed_table(arguments: argparse.Namespace) -> list[str]:
    rows = [f"{'policy':24}{'batch':>6}{'ms a step':>11}{'steps':>7}{'seconds':>9}"]
    for name in arguments.policies:
        rmtree(arguments.out / "speed" / name, ignore_errors=True)  # times are never old ones
        run_dir, _ = train(name, arguments, f"optim.steps={TIMED_STEPS}", out="speed")
        rates = [
            line["speed/samples_per_s"] for line in metrics.read(run_dir) if "speed/samples_per_s" in line
        ]
        batch = yaml.safe_load((run_dir / "config.yaml").read_text())["optim"]["batch_size"]
        step_ms = 1000 * batch / statistics.median(rates[1:])  # the first ones warm up
        steps = Configurations("train").compose([f"policy={name}"]).optim.steps
        seconds = steps * step_ms / 1000
        late = "!" if seconds > LIMIT_S else " "
        rows.append(f"{name:24}{batch:6}{step_ms:11.1f}{steps:7}{seconds:8.0f}{late}")
        common.say(rows[-1])
    return rows


TABLES = {"--steps-ablation": steps_table, "--speed": speed_table, "--history": history_table}
COMPARISONS = (steps_table, history_table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("policies", nargs="*", default=sorted(POLICIES), help="default: all registered")
    instead = parser.add_mutually_exclusive_group()
    for name, chosen in TABLES.items():
        instead.add_argument(name, action="store_const", const=chosen, dest="table", default=success_table)
    parser.add_argument("--episodes", type=int, help="default: 100, of --steps-ablation and --history 400")
    parser.add_argument("--seed", type=int, default=0, help="of training")
    parser.add_argument("--data", type=Path, default=Path("runs/demo/demos.hdf5"), help="made if missing")
    parser.add_argument("--out", type=Path, default=Path("runs/policies"))
    parser.add_argument(
        "--options", nargs="+", default=[], help="more for the training, e.g. optim.steps=500"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.policies) - set(POLICIES):
        parser.error(f"unknown policy {', '.join(unknown)}; known: {', '.join(sorted(POLICIES))}")
    table_of = arguments.table
    arguments.episodes = arguments.episodes or (400 if table_of in COMPARISONS else 100)
    arguments.data, arguments.out = (path.resolve() for path in (arguments.data, arguments.out))
    common.demonstrations(arguments.data, ENV_ID)
    print("", *table_of(arguments), sep="\n")


if __name__ == "__main__":
    main()
