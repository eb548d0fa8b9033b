"""What a run cost, as far as it recorded it: the axes against which success is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean

from s2robot.evaluation.pages.facts import number, pick
from s2robot.evaluation.pages.runs import Run


@dataclass(frozen=True)
class Cost:
    """A cost, and how it is read off a run; None where it is not recorded."""

    name: str
    unit: str
    of: Callable[[Run], float | None]
    digits: int = 1

    def text(self, run: Run) -> str:
        """As a table shows it."""
        value = self.of(run)
        return "" if value is None else f"{value:.{self.digits}f}"


def _train_minutes(run: Run) -> float | None:
    seconds = number(pick(run.stages, "train.seconds"))
    return None if seconds is None else seconds / 60


def _sum_of(key: str, scale: float) -> Callable[[Run], float | None]:
    """The sum over the cameras of what is recorded for each."""

    def read(run: Run) -> float | None:
        cameras = pick(run.sizes, "cameras")
        if not isinstance(cameras, Mapping) or not cameras:
            return None
        values = [number(pick(camera, key)) for camera in cameras.values()]
        known = [value for value in values if value is not None]
        return sum(known) * scale if len(known) == len(values) else None

    return read


def _decision_ms(run: Run) -> float | None:
    known = [one.decision_ms for one in run.evaluations if one.decision_ms is not None]
    return mean(known) if known else None


COSTS = (
    Cost("GFLOPs of the encoder", "per observation", _sum_of("gflops", 1.0)),
    Cost("time of a decision", "ms", _decision_ms),
    Cost("stored features", "kB per observation", _sum_of("feature_bytes", 1e-3)),
    Cost("training", "min", _train_minutes),
)
