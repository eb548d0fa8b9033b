"""`episodes.jsonl`: one JSON line for each finished episode."""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s2robot.errors import UserError
from s2robot.files import read_text
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs.plain import build


def read_episodes(path: Path) -> list[EpisodeResult]:
    """The episodes of an `episodes.jsonl`; a last line that was cut off while being written is left out.

    Raises `UserError` for a line that is no episode.
    """
    try:
        lines = read_text(path).split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return [_episode(text, f"{path}, line {number}") for number, text in enumerate(lines, 1)]


def _episode(text: str, where: str) -> EpisodeResult:
    try:
        line: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is no episode: {error}") from error
    if isinstance(line, dict) and "return" in line:
        line["return_"] = line.pop("return")
    try:
        return build(EpisodeResult, line, "it")
    except UserError as error:
        raise UserError(f"{where} is no episode: {error}".replace("'return_'", "'return'")) from error


def planned(results: Iterable[EpisodeResult], seeds: Collection[int] | None) -> list[EpisodeResult]:
    """The episodes of these seeds (of any, for None), the first of each."""
    first: dict[int, EpisodeResult] = {}
    for result in results:
        if seeds is None or result.seed in seeds:
            first.setdefault(result.seed, result)
    return list(first.values())


def to_line(result: EpisodeResult) -> str:
    """The line of one episode, with its end of line."""
    line = asdict(result)
    line["return"] = line.pop("return_")
    line["wall_s"] = round(result.wall_s, 3)
    return json.dumps(line) + "\n"
