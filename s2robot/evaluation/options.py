"""Options of rollouts: of their environment, of those that choose a checkpoint, and of what is filmed."""

from dataclasses import dataclass
from typing import Any

from s2robot.config import at_least, option
from s2robot.datasets.options import check_orientation
from s2robot.errors import UserError

FAILURES = "failures"


@dataclass(frozen=True)
class Filming:
    """How many of the first episodes, and how many failed ones besides, are filmed."""

    first: int = 0
    failures: int = 0

    @classmethod
    def read(cls, given: Any) -> "Filming":
        """From the option `video`: 9, or failures:9. Raises `UserError` for anything else."""
        word, colon, number = str(given).rpartition(":")
        if type(given) in (int, str) and number.isdecimal() and word == (FAILURES if colon else ""):
            return cls(failures=int(number)) if colon else cls(first=int(number))
        raise UserError(f"video={given}: expected a number of episodes, or {FAILURES}:NUMBER")


@dataclass
class EnvConfig:
    """The environment of rollouts."""

    id: str | None = option(None, "registered environment, or module:NAME; null: the recorded one")
    kwargs: dict[str, Any] = option({}, "arguments of the environment, beside the recorded ones")
    keys: dict[str, str] = option(
        {}, "{name: key} of cameras and proprioception that the environment observes under another key"
    )
    orientation: Any = option(
        None,
        "how the environment gives frames: upright, flipped_rows, rotated_180, or {camera: one of them}; "
        "null: upright in s2robot's own, else as the dataset stores them",
        mapping=True,
    )

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        check_orientation("env.orientation", self.orientation)


@dataclass
class RolloutConfig:
    """Rollouts in training: their success rate chooses the checkpoint `best`."""

    every: int = option(0, "steps between rollouts; 0: none, and the action error in validation chooses")
    episodes: int = option(20, "episodes of each")
    seed: int = option(50_000, "reset seed of the first one; evaluations use others")

    def check(self) -> None:
        """Raise `UserError` for a number that cannot be."""
        at_least(0, self, "every", "seed", group="rollout.")
        at_least(1, self, "episodes", group="rollout.")
