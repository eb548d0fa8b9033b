"""Where two trainings with the same settings first differ: their metrics, checkpoints and evaluations.

Numbers are compared to the bit; only times are left out, and what was not written in both.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2robot.config import differences
from s2robot.evaluation.episodes_file import read_episodes
from s2robot.runs import checkpoint, metrics, record, steps
from s2robot.runs.finding import CHECKPOINTS
from s2robot.runs.plain import read_object

TIMES = "speed/"  # metrics that begin so are no results
OF_THE_CLOCK = ("wall_s", "video")  # of an episode
OF_A_START = ("host",)  # of the hardware; the name alone changes nothing
LATER = ("metrics", "checkpoint", "evaluation")  # of one step, in the order in which they come about


@dataclass(frozen=True)
class Difference:
    """What is not the same after a step."""

    step: int
    kind: str  # of LATER
    what: str


@dataclass(frozen=True)
class Comparison:
    """How much was compared, the first difference, and how the two machines differ."""

    compared: Mapping[str, int]  # metrics (lines), checkpoints, episodes
    first: Difference | None
    differing: int  # lines, checkpoints and evaluations that differ
    machine: list[str]

    @property
    def equal(self) -> bool:
        return self.first is None


def compare(run: Path, again: Path, until: int) -> Comparison:
    """Compare two run folders up to step `until`. Raises `UserError` for what cannot be read."""
    found: list[Difference] = []
    lines, others = _lines(run, until), _lines(again, until)
    for step, values in lines.items():
        if what := _numbers(values, others.get(step, {})):
            found.append(Difference(step, "metrics", what))
    saved = [path for path in steps.steps(run / CHECKPOINTS) if steps.step_of(path) <= until]
    both = [path for path in saved if steps.is_complete(again / CHECKPOINTS / path.name)]
    for path in both:
        if what := _tensors(path, again / CHECKPOINTS / path.name):
            found.append(Difference(steps.step_of(path), "checkpoint", what))
    episodes = 0
    for step, name in evaluations(run, until):
        if (again / "eval" / name / "episodes.jsonl").exists():
            count, what = _episodes(run / "eval" / name, again / "eval" / name)
            episodes += count
            if what:
                found.append(Difference(step, "evaluation", f"{name}: {what}"))
    first = min(found, key=lambda one: (one.step, LATER.index(one.kind)), default=None)
    compared = {"metrics": len(lines), "checkpoints": len(both), "episodes": episodes}
    return Comparison(compared, first, len(found), _machines(run, again))


def anything_until(run: Path, until: int) -> bool:
    """Whether a run has something up to a step that another can be compared with."""
    saved = (steps.step_of(path) <= until for path in steps.steps(run / CHECKPOINTS))
    return any(saved) or bool(_lines(run, until))


def evaluations(run: Path, until: int) -> Iterator[tuple[int, str]]:
    """Step of the weights and name of each evaluation of a run that has episodes."""
    for file in sorted(run.glob("eval/*/seeds.json")):
        identity = read_object(file).get("identity")
        step = identity.get("step") if isinstance(identity, dict) else None
        if isinstance(step, int) and step <= until and (file.parent / "episodes.jsonl").exists():
            yield step, file.parent.name


def _lines(run: Path, until: int) -> dict[int, dict[str, float]]:
    """Step -> numbers that are no times."""
    lines: dict[int, dict[str, float]] = {}
    for line in metrics.read(run):
        if line["step"] <= until:
            numbers = {name: value for name, value in line.items() if not name.startswith(TIMES)}
            lines.setdefault(int(line["step"]), {}).update(numbers)
    return lines


def _numbers(values: Mapping[str, float], others: Mapping[str, float]) -> str:
    """The first number that differs, with both values; "" if none does."""
    for name, value in values.items():
        other = others.get(name)
        if other is None:
            return f"{name} was {value!r} and is missing"
        if value != other and not (math.isnan(value) and math.isnan(other)):
            return f"{name} was {value!r} and is {other!r}"
    return ""


def _tensors(path: Path, other: Path) -> str:
    """The first tensor of a checkpoint that differs, and by how much; "" if none does."""
    for name in (checkpoint.WEIGHTS, checkpoint.TRAINING, checkpoint.SAMPLES):
        old, new = checkpoint.read_tensors(path / name), checkpoint.read_tensors(other / name)
        for key in sorted(old.keys() | new.keys()):
            if key not in old or key not in new or old[key].shape != new[key].shape:
                return f"{name}: {key} is not in both, or of another shape"
            if _bytes(old[key]) != _bytes(new[key]):
                largest = (old[key].double() - new[key].double()).abs().max().item()
                return f"{name}: {key} differs by up to {largest:.3g}"
    return ""


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _episodes(folder: Path, other: Path) -> tuple[int, str]:
    """How many episodes both have, and the first that differs."""
    old, new = (
        {one.seed: asdict(one) for one in read_episodes(where / "episodes.jsonl")}
        for where in (folder, other)
    )
    both = [seed for seed in old if seed in new]
    for seed in both:
        first, second = (
            {key: value for key, value in one.items() if key not in OF_THE_CLOCK}
            for one in (old[seed], new[seed])
        )
        if lines := differences(first, second):
            return len(both), f"seed {seed}: {lines[0]}"
    return len(both), ""


def _machines(run: Path, again: Path) -> list[str]:
    """How versions and hardware of the two differ, a line each."""

    def last(folder: Path) -> dict[str, Any]:
        start = (record.read(folder).get("starts") or [{}])[-1]
        hardware = start.get("hardware") or {}
        hardware = {key: value for key, value in hardware.items() if key not in OF_A_START}
        return {"versions": start.get("versions"), "hardware": hardware, "commit": start.get("commit")}

    return differences(last(run), last(again))
