"""Checks of the frames themselves: black or empty ones, a camera that stands still, whole copies."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.pieces import frames_in_pieces
from s2robot.datasets.problem import Problem, told_by
from s2robot.errors import UserError
from s2robot.progress import progress

BLACK = 12  # of 255, the brightest value of a black frame; video compression leaves a few
EMPTY = 2  # of 255, the range of each colour in a frame of one colour
FROZEN = 10  # equal frames in a row while the robot moves
MOVES = 1e-5  # change of a number of the proprioception, or of the actions where there is none


@dataclass
class Seen:
    """What is kept of the frames of an episode's camera."""

    rows: int = 0
    black: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    repeats: list[bool] = field(default_factory=list)  # whether each frame equals the one before
    digest: str = ""  # of all frames


def check_frames(dataset: Dataset, shown: bool = True) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings of every frame of every camera; frames that cannot be decoded are errors."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    whole: dict[str, tuple[str, str]] = {}  # episode and camera by their frames
    todo = [(i, one, camera) for i, one in enumerate(dataset.records) for camera in dataset.cameras]
    for i, one, camera in progress(todo, description="frames") if shown else todo:
        key = dataset.cameras[camera].key
        try:
            seen = _look(dataset, one.name, camera)
        except UserError as error:
            errors.append(told_by(error, one.recorded.file, one.recorded.name, key))
            continue
        moving = _moving(dataset, i)
        errors += [dataset.problem(one, key, told) for told in _errors(seen, moving)]
        repeated = int((np.array(seen.repeats) & moving).sum())
        if repeated and not _longest(np.array(seen.repeats) & moving)[0] >= FROZEN:
            told = f"{repeated} of {seen.rows} frames are those before them, while the robot moves"
            warnings.append(dataset.problem(one, key, told))
        earlier = whole.setdefault(seen.digest, (one.name, camera))
        if earlier != (one.name, camera):
            of = earlier[0] if earlier[1] == camera else f"camera {earlier[1]} of {earlier[0]}"
            warnings.append(dataset.problem(one, key, f"its frames are those of {of}"))
    return errors, warnings


def _look(dataset: Dataset, episode: str, camera: str) -> Seen:
    seen, last, digest = Seen(), None, blake2b(digest_size=16)
    for frames in frames_in_pieces(dataset, episode, camera):
        for frame in frames:
            if frame.max() <= BLACK:
                seen.black.append(seen.rows)
            elif (np.ptp(frame.reshape(-1, 3), axis=0) <= EMPTY).all():
                seen.empty.append(seen.rows)
            seen.repeats.append(last is not None and np.array_equal(frame, last))
            seen.rows += 1
            last = frame
        digest.update(frames.data)
    seen.digest = digest.hexdigest()
    return seen


def _errors(seen: Seen, moving: np.ndarray) -> Iterator[str]:
    for rows, what in ((seen.black, "black"), (seen.empty, "of a single colour")):
        if rows:
            yield f"{len(rows)} of {seen.rows} frames are {what}, the first in row {rows[0]}"
    repeats = np.array(seen.repeats) & moving
    length, end = _longest(repeats)
    if length >= FROZEN or (length == seen.rows - 1 and length >= 2):
        yield f"frozen: rows {end - length} to {end} are one frame while the robot moves"


def _moving(dataset: Dataset, index: int) -> np.ndarray:
    """Whether the robot moved just before each row of an episode."""
    start, stop = dataset.offsets[index], dataset.offsets[index + 1]
    parts = list(dataset.proprioception().values()) or [dataset.actions()]
    values = np.concatenate([part[start:stop] for part in parts], axis=1)
    return np.concatenate([[False], (np.abs(np.diff(values, axis=0)) > MOVES).any(1)])


def _longest(flags: np.ndarray) -> tuple[int, int]:
    """Length of the longest run of true values and the index of its last one."""
    best, end, run = 0, 0, 0
    for i, flag in enumerate(flags):
        run = run + 1 if flag else 0
        if run > best:
            best, end = run, i
    return best, end
