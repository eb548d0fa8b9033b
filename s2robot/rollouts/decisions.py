"""What a policy decided in a filmed episode, beside what was executed: `videos/seed_<seed>.json`.

Reports draw it beside the video. Imports no PyTorch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from s2robot.files import write_text
from s2robot.rollouts.looking import Look
from s2robot.runs.plain import build, read_object

DIGITS = 4  # of the numbers in the file


@dataclass(frozen=True)
class FilmLayout:
    """Where the camera views are in the frames of a video, in pixels."""

    size: Sequence[int]  # width, height
    views: Mapping[str, Sequence[int]]  # name -> left, top, width, height


@dataclass(frozen=True)
class Decision:
    """One chunk, decided before step `step` of the episode."""

    step: int
    chunk: Sequence[Sequence[float]]  # "ta da", executed or not
    looks: Mapping[str, Look] = field(default_factory=dict)  # by the name of the view


@dataclass
class Decisions:
    """All decisions of an episode, and the actions that were executed, within the action space."""

    action_steps: int  # executed of each chunk
    decisions: list[Decision] = field(default_factory=list)
    executed: list[Sequence[float]] = field(default_factory=list)  # "t da"
    layout: FilmLayout | None = None

    def decide(self, chunk: Float[np.ndarray, "ta da"], looks: Mapping[str, Look]) -> None:
        """Note a chunk that is going to be executed from here, and what was looked at."""
        rounded = np.round(chunk.astype(float), DIGITS).tolist()
        self.decisions.append(Decision(len(self.executed), rounded, dict(looks)))

    def execute(self, actions: Float[np.ndarray, "k da"]) -> None:
        """Note actions that were executed."""
        self.executed.extend(np.round(actions.astype(float), DIGITS).tolist())

    def write(self, path: Path) -> None:
        """Write the file, complete or not at all. Raises `OSError`."""
        write_text(path, json.dumps(asdict(self)) + "\n")


def decisions_path(video: Path) -> Path:
    """The file that belongs to a video."""
    return video.with_suffix(".json")


def read_decisions(video: Path) -> Decisions | None:
    """The decisions of a filmed episode; None of older ones. Raises `UserError` for another content."""
    path = decisions_path(video)
    if not path.exists():
        return None
    plain: Mapping[str, Any] = read_object(path)
    return build(Decisions, plain, str(path))
