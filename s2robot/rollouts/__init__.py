"""Episodes in simulation: worker processes simulate and render, one process encodes and decides.

The names below are imported when they are first used: the worker processes import modules of this package and
must start without PyTorch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2robot.rollouts.episodes import RolloutError, iter_episodes, run_episodes
    from s2robot.rollouts.results import EpisodeResult

__all__ = ["EpisodeResult", "RolloutError", "iter_episodes", "run_episodes"]


def __getattr__(name: str) -> Any:
    if name == "EpisodeResult":
        from s2robot.rollouts import results as module
    elif name in __all__:
        from s2robot.rollouts import episodes as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(module, name)
