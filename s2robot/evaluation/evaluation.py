"""Success rates that can be believed: seeds fixed beforehand, every episode on disk, an interval.

An evaluation folder holds

    seeds.json      what is evaluated: environment, seeds, the caller's identity; written first
    episodes.jsonl  one JSON line an episode, appended as it finishes
    summary.json    the success rate with its interval; written last
    videos/         the first seeds, as mp4
"""

import json
import math
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from s2robot.errors import UserError
from s2robot.files import write_text
from s2robot.progress import progress
from s2robot.rollouts.episodes import iter_episodes
from s2robot.types import Actor, EpisodeResult

FIRST_SEED = 100_000  # demonstrations are collected with small seeds


@dataclass(frozen=True)
class Summary:
    """What `summary.json` says."""

    env_id: str
    episodes: int
    successes: int
    success_rate: float
    ci95: tuple[float, float]  # Wilson
    wall_s: float  # of this run, start to end; an interrupted run's time is not in it


def wilson_interval(successes: int, episodes: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a success rate, within [0, 1]; holds for rates near 0 and 1 as well.

    Raises `ValueError` unless 0 <= successes <= episodes and episodes > 0. Wilson, "Probable inference,
    the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"no success rate in {successes} successes of {episodes} episodes")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / episodes
    centre = rate + z * z / (2 * episodes)
    half = z * math.sqrt(rate * (1 - rate) / episodes + (z / (2 * episodes)) ** 2)
    scale = 1 + z * z / episodes
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def evaluation_seeds(episodes: int, training: Collection[int] = (), start: int = FIRST_SEED) -> list[int]:
    """`episodes` seeds from `start` on; raises `UserError` if one of them was used in training."""
    seeds = list(range(start, start + episodes))
    shared = sorted(set(seeds).intersection(training))
    if shared:
        raise UserError(
            f"{len(shared)} evaluation seeds were trained on or chose the checkpoint"
            f" (the first is {shared[0]}); start above {max(training)}"
        )
    return seeds


def evaluate(
    actor: Actor,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None,
    seeds: Sequence[int],
    out_dir: Path,
    *,
    identity: Mapping[str, Any] | None = None,
    videos: int = 9,
    batch: int = 1,
    **rollout_options: Any,
) -> Summary:
    """Run one episode a seed into `out_dir`, film the first `videos`, and sum up.

    `identity` (plain JSON) tells what else decides the outcome, such as a hash of the weights. With
    it, an evaluation that was interrupted is carried on when run again with the same environment,
    seeds, batch and identity; without it, or when it had finished, it starts anew. `rollout_options` and
    errors are those of `s2robot.rollouts.episodes.iter_episodes`.
    """
    if not seeds:
        raise UserError("an evaluation needs at least one episode")
    start = time.monotonic()
    decisive = {"env_id": env_id, "env_kwargs": env_kwargs or {}, "batch": batch, "identity": identity}
    plan = {**decisive, "seeds": list(seeds)}
    results = _carried_on(out_dir, plan) if identity is not None else []
    if not results:
        _start_anew(out_dir, plan)
    done = {result.seed for result in results}
    rest = [seed for seed in seeds if seed not in done]
    record = sum(seed not in done for seed in seeds[:videos])

    episodes = iter_episodes(
        actor,
        env_id,
        rest,
        env_kwargs,
        batch=batch,
        record=record,
        video_dir=out_dir / "videos",
        **rollout_options,
    )
    with (out_dir / "episodes.jsonl").open("a") as file, closing(episodes):
        for result in progress(episodes, len(rest), "evaluate", lambda: _rate(results)):
            file.write(_to_line(result))
            file.flush()
            results.append(result)

    summary = summarise(env_id, results, time.monotonic() - start)
    _write_json(out_dir / "summary.json", asdict(summary))
    return summary


def summarise(env_id: str, results: Sequence[EpisodeResult], wall_s: float) -> Summary:
    """Success rate and interval of finished episodes."""
    successes = sum(result.success for result in results)
    rate = successes / len(results)
    interval = wilson_interval(successes, len(results))
    return Summary(env_id, len(results), successes, rate, interval, round(wall_s, 3))


def read_episodes(path: Path) -> list[EpisodeResult]:
    """The episodes of an `episodes.jsonl`; a last line that was cut off while being written is left out.

    Raises `UserError` for a line that is no episode.
    """
    results = []
    for number, text in enumerate(path.read_text().split("\n")[:-1], 1):
        try:
            line = json.loads(text)
            results.append(EpisodeResult(return_=line.pop("return"), **line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"{path}, line {number} is no episode: {error}") from error
    return results


def _rate(results: Sequence[EpisodeResult]) -> str:
    return f"{sum(result.success for result in results)} of {len(results)} succeeded"


def _to_line(result: EpisodeResult) -> str:
    line = asdict(result)
    line["return"] = line.pop("return_")
    line["wall_s"] = round(result.wall_s, 3)
    return json.dumps(line) + "\n"


def _carried_on(out_dir: Path, plan: Mapping[str, Any]) -> list[EpisodeResult]:
    """Episodes that an interrupted evaluation of the same plan has finished."""
    plan_file, episodes_file = out_dir / "seeds.json", out_dir / "episodes.jsonl"
    if (out_dir / "summary.json").exists() or not (plan_file.exists() and episodes_file.exists()):
        return []
    if json.loads(plan_file.read_text()) != json.loads(json.dumps(plan)):
        return []
    results = read_episodes(episodes_file)
    write_text(episodes_file, "".join(map(_to_line, results)))  # without a line cut off
    return results


def _start_anew(out_dir: Path, plan: Mapping[str, Any]) -> None:
    for name in ("summary.json", "episodes.jsonl", "seeds.json"):
        (out_dir / name).unlink(missing_ok=True)
    for video in out_dir.glob("videos/seed_*.mp4"):
        video.unlink()
    out_dir.mkdir(parents=True, exist_ok=True)
    _write_json(out_dir / "seeds.json", plan)


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")
