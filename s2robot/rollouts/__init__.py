"""Episodes in simulation: worker processes simulate and render, one process encodes and decides."""

from s2robot.rollouts.episodes import RolloutError, iter_episodes, run_episodes

__all__ = ["RolloutError", "iter_episodes", "run_episodes"]
