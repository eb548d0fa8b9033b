"""The videos of an evaluation: where a page finds them, beside it or inside it."""

import base64
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from s2robot.errors import UserError
from s2robot.evaluation.pages.evaluations import Evaluation
from s2robot.rollouts.results import EpisodeResult

SUFFIX = ".mp4"


@dataclass(frozen=True)
class Film:
    """A video with what stands below it."""

    source: str  # of the page: a relative URL, or the video itself
    episode: EpisodeResult


def films(evaluation: Evaluation, embed: bool) -> list[Film]:
    """The videos of an evaluation that are there, failures first. Raises `UserError` for foreign paths."""
    found = []
    for episode in evaluation.filmed:
        path = video_path(evaluation.folder, str(episode.video))
        if path.is_file():
            found.append(Film(source(evaluation, path, embed), episode))
    return found


def video_path(folder: Path, name: str) -> Path:
    """The file that a line of `episodes.jsonl` names. Raises `UserError` unless it is a video inside."""
    parts = PurePosixPath(name)
    path = folder / name
    inside = not parts.is_absolute() and ".." not in parts.parts
    if not inside or parts.suffix != SUFFIX or not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{folder / 'episodes.jsonl'} names the video {name!r}, expected an {SUFFIX} file in that folder"
        )
    return path


def source(evaluation: Evaluation, path: Path, embed: bool) -> str:
    """What a page in the run's folder has as the source of a video."""
    if embed:
        return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return quote(f"eval/{evaluation.name}/{path.relative_to(evaluation.folder).as_posix()}")
