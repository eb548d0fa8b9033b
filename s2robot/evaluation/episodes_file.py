"""`episodes.jsonl`: one JSON line for each finished episode."""

import json
from dataclasses import asdict
from pathlib import Path

from s2robot.errors import UserError
from s2robot.rollouts.results import EpisodeResult


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


def to_line(result: EpisodeResult) -> str:
    """The line of one episode, with its end of line."""
    line = asdict(result)
    line["return"] = line.pop("return_")
    line["wall_s"] = round(result.wall_s, 3)
    return json.dumps(line) + "\n"
