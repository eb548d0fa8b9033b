"""Options of the rollouts that choose a checkpoint."""

from dataclasses import dataclass

from s2robot.config import at_least, option


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
