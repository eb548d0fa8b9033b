"""Which episodes of an evaluation are filmed: the first ones, or those that failed, and all in one video."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from s2robot.progress import progress
from s2robot.rollouts.decisions import decisions_path
from s2robot.rollouts.results import EpisodeResult

GRID = "grid.mp4"


def film_failures(
    results: Sequence[EpisodeResult],
    most: int,
    play: Callable[[Sequence[int]], Iterable[EpisodeResult]],
    out_dir: Path,
) -> list[EpisodeResult]:
    """Film up to `most` of the failed episodes by playing their seeds again; returns all results.

    Which episodes fail is known only afterwards, and an episode depends on its seed alone: filming a few
    again costs less than filming all. `play` films the given seeds. An environment that does something else
    the second time is told, and its video is not kept.
    """
    lost = [one.seed for one in results if not one.success and one.video is None][:most]
    if not lost:
        return list(results)
    by_seed = {one.seed: one for one in results}
    episodes: Any = play(lost)
    with closing(episodes):
        for again in progress(episodes, len(lost), "film failures"):
            if (again.success, again.steps) == (by_seed[again.seed].success, by_seed[again.seed].steps):
                by_seed[again.seed] = replace(by_seed[again.seed], video=again.video)
                continue
            print(f"warning: seed {again.seed} went otherwise when it was played again; it has no video")
            for path in (out_dir / str(again.video), decisions_path(out_dir / str(again.video))):
                path.unlink(missing_ok=True)
    return [by_seed[one.seed] for one in results]


def write_grid_of(results: Sequence[EpisodeResult], out_dir: Path) -> None:
    """Write `videos/grid.mp4` of the filmed episodes, failures first, if there are several."""
    filmed = sorted((one for one in results if one.video), key=lambda one: one.success)
    if len(filmed) > 1:
        from s2robot.rollouts.grid_video import write_grid  # needs imageio-ffmpeg, as only videos do

        write_grid([out_dir / str(one.video) for one in filmed], out_dir / "videos" / GRID)
