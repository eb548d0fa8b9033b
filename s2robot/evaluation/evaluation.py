"""An evaluation in simulation: seeds fixed beforehand, every episode on disk, a success rate.

An evaluation folder holds

    seeds.json      what is evaluated: environment, seeds, the caller's identity; written first
    episodes.jsonl  one JSON line an episode, appended as it finishes
    summary.json    the success rate with its interval; written last
    videos/         filmed episodes as mp4, with their decisions as JSON; grid.mp4: all of them at once

One process at a time writes there. Another evaluation takes its place only when the user says so, and what is
there stays until an episode of the new one has finished.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s2robot.config import differences
from s2robot.errors import UserError
from s2robot.evaluation.episodes_file import planned, read_episodes, to_line
from s2robot.evaluation.filming import film_failures, write_grid_of
from s2robot.evaluation.playing import PlayedHere, Player
from s2robot.evaluation.success_rate import Summary, summarise
from s2robot.files import write_text
from s2robot.progress import progress
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs.lock import locked
from s2robot.runs.ours import OF_AN_EVALUATION, foreign_to_evaluation
from s2robot.runs.plain import build, read_object
from s2robot.runs.replacement import Replacement
from s2robot.types import Actor


def evaluate(
    actor: Actor | Player,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None,
    seeds: Sequence[int],
    out_dir: Path,
    *,
    identity: Mapping[str, Any] | None = None,
    videos: int = 9,
    failures: int = 0,
    batch: int = 1,
    overwrite: bool = False,
    around: AbstractContextManager[None] | None = None,
    **rollout_options: Any,
) -> Summary:
    """Run one episode a seed into `out_dir`, film the first `videos` and `failures` failed ones, and sum up.

    `identity` (plain JSON) holds what else decides the outcome, such as a hash of the weights. With it, an
    interrupted evaluation is carried on when it is run again with the same environment, seeds, batch and
    identity, and of a finished one the summary is returned. Any other evaluation in `out_dir` is replaced if
    `overwrite`, else refused. `around` is entered while episodes are run. `rollout_options` and errors are
    those of `s2robot.rollouts.episodes.iter_episodes` (a `Player` has options of its own); raises `UserError`
    while another process writes there.
    """
    if not seeds:
        raise UserError("an evaluation needs at least one episode")
    decisive = {"env_id": env_id, "env_kwargs": env_kwargs or {}, "batch": batch, "identity": identity}
    plan = {**decisive, "seeds": list(seeds)}
    player: Player
    if isinstance(actor, Player):
        player = actor
    else:
        player = PlayedHere(actor, env_id, env_kwargs, out_dir / "videos", batch=batch, **rollout_options)
    play = player.play

    with locked(out_dir, str(out_dir)):
        earlier = Replacement(out_dir, OF_AN_EVALUATION, lambda: bool(_there(out_dir)[1]))
        earlier.settle()
        results = _found(out_dir, plan, overwrite)
        if results and (summary_file := out_dir / "summary.json").exists():
            filmed = sum(result.video is not None for result in results)
            print(f"{out_dir}: this evaluation was finished before, {filmed} episodes are filmed")
            return build(Summary, read_object(summary_file), str(summary_file))
        start = time.monotonic()
        done = {result.seed for result in results}
        rest = [seed for seed in seeds if seed not in done]
        episodes = play(rest, sum(seed not in done for seed in seeds[:videos]))
        if not results:
            earlier.begin()
            _write_json(out_dir / "seeds.json", plan)
        try:
            with around or nullcontext():
                with (out_dir / "episodes.jsonl").open("a") as file, closing(episodes):
                    for result in progress(episodes, len(rest), "evaluate", lambda: _rate(results)):
                        file.write(to_line(result))
                        file.flush()
                        earlier.finish()
                        results.append(result)
                if failures:
                    results = film_failures(results, failures, lambda seeds: play(seeds, len(seeds)), out_dir)
                    write_text(out_dir / "episodes.jsonl", "".join(map(to_line, results)))
                write_grid_of(results, out_dir)
        finally:
            earlier.settle()
        summary = summarise(env_id, results, time.monotonic() - start, player.decision_ms)
        _write_json(out_dir / "summary.json", asdict(summary))
    return summary


def _rate(results: Sequence[EpisodeResult]) -> str:
    return f"{sum(result.success for result in results)} of {len(results)} succeeded"


def _found(out_dir: Path, plan: Mapping[str, Any], overwrite: bool) -> list[EpisodeResult]:
    """Episodes of the same plan that are there. Another one is a `UserError`, unless `overwrite`."""
    if found := next(foreign_to_evaluation(out_dir), None):
        raise UserError(f"{found} is not of an evaluation; nothing was changed: say another name, or move it")
    there, results = _there(out_dir)
    if overwrite or not results:
        return []
    asked = json.loads(json.dumps(plan))
    if asked["identity"] is None or there != asked:
        differing = ", ".join(differences(there, asked)) or "who acts is not known"
        raise UserError(
            f"{out_dir} holds another evaluation ({differing}): another name keeps both, "
            f"overwrite=true replaces it"
        )
    write_text(out_dir / "episodes.jsonl", "".join(map(to_line, results)))  # without what is cut off
    return results


def _there(out_dir: Path) -> tuple[Mapping[str, Any], list[EpisodeResult]]:
    """The plan of the evaluation that is there, if any, and its episodes."""
    plan_file, episodes_file = out_dir / "seeds.json", out_dir / "episodes.jsonl"
    plan = read_object(plan_file) if plan_file.exists() else {}
    seeds = plan.get("seeds")
    if not episodes_file.exists():
        return plan, []
    return plan, planned(read_episodes(episodes_file), seeds if isinstance(seeds, list) else None)


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")
