"""The result of one episode, without PyTorch: reports and comparisons only read results."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EpisodeResult:
    """One finished episode; one line of `episodes.jsonl` (there `return_` is called `return`)."""

    seed: int
    success: bool
    steps: int
    return_: float
    wall_s: float
    video: str | None = None  # path relative to the evaluation folder
