"""One evaluation as its page shows it: recomputed from `episodes.jsonl`, not from `summary.json`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2robot.errors import UserError
from s2robot.evaluation.episodes_file import planned, read_episodes
from s2robot.evaluation.success_rate import Summary, summarise
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs.plain import read_object

# of an evaluation's identity; all else there says how the policy acts
NOT_ACTING = ("step", "weights", "encoders", "device", "temporal_ensemble", "keys", "flips")


@dataclass(frozen=True)
class Evaluation:
    """The content of a folder below `eval/`."""

    folder: Path
    plan: Mapping[str, Any]  # seeds.json
    summary: Summary
    episodes: Sequence[EpisodeResult]  # in the order of the seeds
    decision_ms: float | None = None  # mean time of the policy with its encoders, for one episode

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def planned(self) -> int:
        return len(self.plan["seeds"])

    @property
    def identity(self) -> Mapping[str, Any]:
        """What else decided the outcome; empty where the caller gave none."""
        identity = self.plan.get("identity")
        return identity if isinstance(identity, dict) else {}

    @property
    def step(self) -> int | None:
        """Of the training, at which the checkpoint was written; None of older evaluations."""
        step = self.identity.get("step")
        return step if type(step) is int else None

    @property
    def weights(self) -> str:
        """The hash of the weights that acted; "" where the caller gave none."""
        return str(self.identity.get("weights") or "")

    @property
    def acting(self) -> Mapping[str, Any]:
        """How the policy acted: its options that an evaluation sets, by name."""
        return {key: value for key, value in self.identity.items() if key not in NOT_ACTING}

    @property
    def ensemble(self) -> float | None:
        """ACT's m of the temporal ensemble; None without."""
        return self.identity.get("temporal_ensemble")

    @property
    def filmed(self) -> list[EpisodeResult]:
        """The episodes that have a video, failures first."""
        return sorted((one for one in self.episodes if one.video), key=lambda one: one.success)


def read_evaluation(folder: Path) -> Evaluation | None:
    """The evaluation in `folder`; None before its first episode has finished. Raises `UserError`."""
    path, plan_file = folder / "episodes.jsonl", folder / "seeds.json"
    if not path.exists() or not (finished := read_episodes(path)):
        return None
    plan = read_object(plan_file)
    seeds, env_id = plan.get("seeds"), plan.get("env_id")
    if not isinstance(seeds, list) or any(type(seed) is not int for seed in seeds):
        raise UserError(f"{plan_file}: `seeds` must be a list of integers")
    if not isinstance(env_id, str):
        raise UserError(f"{plan_file}: `env_id` must be the name of an environment")
    order = {seed: i for i, seed in enumerate(seeds)}
    if foreign := [one.seed for one in finished if one.seed not in order]:
        raise UserError(f"{path} has an episode of seed {foreign[0]}, which is none of those in {plan_file}")
    episodes = sorted(planned(finished, order), key=lambda episode: order[episode.seed])
    wall_s = sum(episode.wall_s for episode in episodes)
    return Evaluation(folder, plan, summarise(env_id, episodes, wall_s), episodes, _decision_ms(folder))


def _decision_ms(folder: Path) -> float | None:
    """As `summary.json` has it; None while the evaluation runs, and of older ones."""
    path = folder / "summary.json"
    value = read_object(path).get("decision_ms") if path.exists() else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
