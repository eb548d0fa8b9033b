"""Where a set's metadata and its files contradict each other: warnings, as the files are what counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from s2robot.datasets.hdf5_attributes import shown, whole_number
from s2robot.datasets.lerobot.info import INDEX_COLUMNS, INFO, Info
from s2robot.datasets.lerobot.rows import TIMESTAMP_TOLERANCE_S, DataFile, Rows
from s2robot.datasets.lerobot.stated import Clip, Stated
from s2robot.datasets.problem import Problem, counted
from s2robot.errors import number_of

SPARE_FRAMES = 1.5  # that a recorder may leave between episodes of a video, or count twice


def contradictions(
    root: Path,
    info: Info,
    tasks: Mapping[int, str],
    stated: Sequence[Stated],
    rows: Sequence[Rows],
    files: Mapping[Path, DataFile],
) -> list[Problem]:
    """All of a set; what many episodes have in common is said once, with their number."""
    by_kind: dict[tuple[str, str], list[Problem]] = {}
    for kind, problem in _of_episodes(info, tasks, stated, rows):
        by_kind.setdefault(kind, []).append(problem)
    return [
        *_of_totals(root, info, tasks, stated, rows),
        *map(counted, by_kind.values()),
        *_of_files(info, stated, files),
    ]


def _of_totals(
    root: Path, info: Info, tasks: Mapping[int, str], stated: Sequence[Stated], rows: Sequence[Rows]
) -> Iterator[Problem]:
    found = {
        "total_episodes": len(stated),
        "total_frames": sum(one.count for one in rows),
        "total_tasks": len(tasks),
    }
    for key, count in found.items():
        if info.totals.get(key, count) != count:
            yield Problem(f"{key} is {info.totals[key]!r}; counted {count}", str(root / INFO))
    if [one.index for one in stated] != list(range(len(stated))):
        numbers = f"0 to {len(stated) - 1}"
        yield Problem(f"episodes are not numbered {numbers}; some may be missing", str(root / INFO))


def _of_episodes(
    info: Info, tasks: Mapping[int, str], stated: Sequence[Stated], rows: Sequence[Rows]
) -> Iterator[tuple[tuple[str, str], Problem]]:
    """Kind of a problem, and the problem."""
    total = 0
    for one, own in zip(stated, rows, strict=True):

        def problem(text: str, key: str = "", one: Stated = one) -> tuple[tuple[str, str], Problem]:
            return (text.split(" ", 1)[0], key), Problem(text, str(one.data), one.name, key)

        if one.length != own.count:
            yield problem(f"length is {one.length}; counted {own.count} rows")
        if not np.isfinite(own.off_s):
            yield problem("timestamp has values that are not finite; expected seconds", "timestamp")
        elif own.off_s > TIMESTAMP_TOLERANCE_S:
            text = f"timestamp differs from frame_index / {info.fps:g} by up to {own.off_s:.4g} s"
            yield problem(text, "timestamp")
        if own.first_index not in (None, total):
            yield problem(f"index begins at {own.first_index}; expected {total}", "index")
        for text in _of_bounds(one, own, total):
            yield problem(text)
        for key, clip in one.clips.items():
            if text := _of_clip(clip, own.count, info.fps):
                yield problem(text, key)
        total += own.count
        if unknown := [task for task in own.tasks if task not in tasks]:
            yield problem(f"task_index {unknown[0]} has no text among the tasks", "task_index")


def _of_bounds(one: Stated, own: Rows, total: int) -> Iterator[str]:
    """What is wrong with the stated numbers of an episode's rows in the whole set."""
    said = [whole_number(bound) for bound in one.bounds]
    begins = total if own.first_index is None else own.first_index
    if one.bounds[0] is not None and said[0] not in (begins, total):
        found = f"dataset_from_index is {shown(one.bounds[0])}; its rows begin at index {begins}"
        yield f"{found}: does meta/episodes state another episode's place, also in its videos?"
    first = begins if said[0] is None else said[0]
    if one.bounds[1] is not None and said[1] not in (first + own.count, first + one.length):
        yield f"dataset_to_index is {shown(one.bounds[1])}; expected {first + own.count}, after its last row"


def _of_clip(clip: Clip, rows: int, fps: float) -> str:
    """What is wrong with the stated end of an episode in a video, "" if nothing is or none is stated."""
    if clip.end_s is None or abs(clip.end_s - clip.start_s - rows / fps) * fps <= SPARE_FRAMES:
        return ""
    lasts = f"to_timestamp is {clip.end_s:.6g} s and from_timestamp {clip.start_s:.6g} s"
    return f"{lasts}; expected {rows / fps:.6g} s between them, of {rows} rows"


def _of_files(info: Info, stated: Sequence[Stated], files: Mapping[Path, DataFile]) -> Iterator[Problem]:
    known = {one.index for one in stated}
    undeclared: dict[str, list[Problem]] = {}
    missing: dict[str, list[Problem]] = {}
    for path, file in files.items():
        if unlisted := sorted(set(file.episodes) - known):
            more = f" (and of {number_of(len(unlisted) - 1, 'other')})" if len(unlisted) > 1 else ""
            which = f"rows of episode {unlisted[0]}{more}"
            yield Problem(f"{which} are left out: the metadata do not list it", str(path))
        for key in set(file.schema.names) - set(info.features) - set(INDEX_COLUMNS):
            problem = Problem(f"left out: it is not declared in {INFO}", str(path), key=key)
            undeclared.setdefault(key, []).append(problem)
        for key in file.missing.keys() & info.features.keys():
            told = (
                f"{file.missing[key]}; expected one in each: `s2robot validate --pixels` names the episodes"
            )
            missing.setdefault(key, []).append(Problem(told, str(path), key=key))
    for key in sorted(undeclared):
        yield undeclared[key][0]
    for key in sorted(missing):
        more = f" (and so in {number_of(len(missing[key]) - 1, 'more file')})" if missing[key][1:] else ""
        yield replace(missing[key][0], problem=missing[key][0].problem + more)
