"""An evaluation in simulation: seeds fixed beforehand, every episode on disk, a success rate.

An evaluation folder holds

    seeds.json      what is evaluated: environment, seeds, the caller's identity; written first
    episodes.jsonl  one JSON line an episode, appended as it finishes
    summary.json    the success rate with its interval; written last
    videos/         filmed episodes as mp4, with their decisions as JSON; grid.mp4: all of them at once
"""

import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s2robot.errors import UserError
from s2robot.evaluation.episodes_file import read_episodes, to_line
from s2robot.evaluation.filming import GRID, film_failures, write_grid_of
from s2robot.evaluation.success_rate import Summary, summarise
from s2robot.files import write_text
from s2robot.progress import progress
from s2robot.rollouts.episodes import iter_episodes
from s2robot.rollouts.results import EpisodeResult
from s2robot.rollouts.timed import TimedActor
from s2robot.types import Actor


def evaluate(
    actor: Actor,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None,
    seeds: Sequence[int],
    out_dir: Path,
    *,
    identity: Mapping[str, Any] | None = None,
    videos: int = 9,
    failures: int = 0,
    batch: int = 1,
    **rollout_options: Any,
) -> Summary:
    """Run one episode a seed into `out_dir`, film the first `videos` and `failures` failed ones, and sum up.

    `identity` (plain JSON) holds what else decides the outcome, such as a hash of the weights. With it, an
    interrupted evaluation continues when it is run again with the same environment, seeds, batch and
    identity; without it, or when it had finished, it starts again. `rollout_options` and
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
    timed = TimedActor(actor)

    def play(seeds: Sequence[int], record: int) -> Generator[EpisodeResult, None, None]:
        options = {"batch": batch, "record": record, "video_dir": out_dir / "videos", **rollout_options}
        return iter_episodes(timed, env_id, seeds, env_kwargs, **options)

    episodes = play(rest, sum(seed not in done for seed in seeds[:videos]))
    with (out_dir / "episodes.jsonl").open("a") as file, closing(episodes):
        for result in progress(episodes, len(rest), "evaluate", lambda: _rate(results)):
            file.write(to_line(result))
            file.flush()
            results.append(result)

    if failures:
        results = film_failures(results, failures, lambda seeds: play(seeds, len(seeds)), out_dir)
        write_text(out_dir / "episodes.jsonl", "".join(map(to_line, results)))
    write_grid_of(results, out_dir)
    summary = summarise(env_id, results, time.monotonic() - start, timed.decision_ms)
    _write_json(out_dir / "summary.json", asdict(summary))
    return summary


def _rate(results: Sequence[EpisodeResult]) -> str:
    return f"{sum(result.success for result in results)} of {len(results)} succeeded"


def _carried_on(out_dir: Path, plan: Mapping[str, Any]) -> list[EpisodeResult]:
    """Episodes that an interrupted evaluation of the same plan has finished."""
    plan_file, episodes_file = out_dir / "seeds.json", out_dir / "episodes.jsonl"
    if (out_dir / "summary.json").exists() or not (plan_file.exists() and episodes_file.exists()):
        return []
    if json.loads(plan_file.read_text()) != json.loads(json.dumps(plan)):
        return []
    results = read_episodes(episodes_file)
    write_text(episodes_file, "".join(map(to_line, results)))  # without a line cut off
    return results


def _start_anew(out_dir: Path, plan: Mapping[str, Any]) -> None:
    for name in ("summary.json", "episodes.jsonl", "seeds.json"):
        (out_dir / name).unlink(missing_ok=True)
    for file in (*out_dir.glob("videos/seed_*.*"), out_dir / "videos" / GRID):
        file.unlink(missing_ok=True)
    out_dir.mkdir(parents=True, exist_ok=True)
    _write_json(out_dir / "seeds.json", plan)


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")
