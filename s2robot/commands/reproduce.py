"""Train a run again from its own configuration and say where the two first differ.

s2robot reproduce runs/demo
s2robot reproduce runs/demo --steps 500 --out runs/demo_again

The status is 0 if all that both have is equal to the bit (metrics, checkpoints, episodes), else 1. The run
itself is not changed. What its config.yaml names is read and loaded, as if it had been typed.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from s2robot.commands.cli.parser import Parser
from s2robot.errors import UserError
from s2robot.runs import finding, record

if TYPE_CHECKING:
    from s2robot.evaluation.reproduction import Comparison


def cli(words: Sequence[str]) -> None:
    """`s2robot reproduce`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--out", type=Path, help="folder of the new run (default: a scratch folder)")
    parser.add_argument(
        "--steps", type=int, help="train and compare only so many steps, with the same schedule"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args(words)
    if arguments.steps is not None and arguments.steps < 1:
        raise UserError(f"--steps {arguments.steps}: expected at least one")
    run = finding.run_dir(arguments.run).absolute()
    if not (run / "config.yaml").exists():
        raise UserError(f"{arguments.run} has no config.yaml: expected the folder of a run")

    with _folder(arguments.out) as again, _where_it_was_started(run):
        found = _reproduce(run, again, arguments.steps)
    if not any(found.compared.values()):
        raise UserError(
            f"{arguments.run}: nothing can be compared: its metrics, checkpoints and evaluations are of "
            "other steps"
        )
    if arguments.json:
        print(json.dumps(asdict(found) | {"equal": found.equal}))
    else:
        print(*_told(found, len(record.read(run).get("starts") or [])), sep="\n")
    sys.exit(0 if found.equal else 1)


def _reproduce(run: Path, again: Path, until: int | None) -> "Comparison":
    """Train and evaluate again, saying on stderr what these commands print."""
    from s2robot.commands import eval as evaluating
    from s2robot.commands import train
    from s2robot.commands.cli.recorded import eval_config, train_config
    from s2robot.evaluation.reproduction import anything_until, compare, evaluations

    config = train_config(run, again)
    last = min(until or config.optim.steps, config.optim.steps)
    if not anything_until(run, last):
        raise UserError(
            f"{run} has no metrics and no checkpoint up to step {last}, so nothing can be compared; its "
            f"first line of metrics is of step {config.optim.log_every}, see --steps"
        )
    found = (eval_config(run / "eval" / name, again, step) for step, name in evaluations(run, last))
    plans = [plan for plan in found if plan is not None]
    for plan in plans:
        _check_environment(plan.env.id or "")
    with redirect_stdout(sys.stderr):
        train.main(config, until=last)
        for plan in plans:
            if Path(plan.checkpoint).is_dir():
                evaluating.main(plan)
    return compare(run, again, last)


def _check_environment(env_id: str) -> None:
    """Refuse, before anything is trained, an environment that cannot be made here."""
    from s2robot.rollouts.resolving import load_module, problem

    load_module(env_id)
    if why := problem(env_id):
        raise UserError(why)


def _told(found: "Comparison", starts: int) -> Iterator[str]:
    compared = ", ".join(f"{count} {what}" for what, count in found.compared.items())
    yield f"compared: {compared}"
    if found.first is None:
        yield "equal to the bit"
    else:
        first = found.first
        yield f"first difference after step {first.step}, {first.kind}: {first.what}"
        yield f"{found.differing} of them differ"
        if starts > 1:
            yield (
                f"the run was started {starts} times, and config.yaml has the options of the last: "
                "other optim.steps before, for instance, were another schedule of the learning rate"
            )
    yield from (f"another machine: {line}" for line in found.machine)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Where the new run is written; a scratch folder is deleted."""
    if out is not None:
        yield out.absolute()
        return
    with TemporaryDirectory(prefix="s2robot-reproduce-") as scratch:
        yield Path(scratch) / "run"


@contextmanager
def _where_it_was_started(run: Path) -> Iterator[None]:
    """Relative paths of its configuration are meant from the folder where the run was started."""
    before, starts = os.getcwd(), record.read(run).get("starts") or [{}]
    folder = starts[-1].get("folder")
    if not (isinstance(folder, str) and Path(folder).is_dir()):
        folder = before
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
