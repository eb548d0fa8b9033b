"""Whether episodes take their own frames of a video that several share: no two may have the same ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2robot.datasets.lerobot.rows import Rows
from s2robot.datasets.lerobot.stated import Stated

OVERLAP_FRAMES = 0.5  # beyond which a row gets a frame of another episode


def not_own(stated: Sequence[Stated], rows: Sequence[Rows], fps: float) -> dict[int, dict[str, str]]:
    """By index of the episode and camera: why it would get frames of another episode."""
    found = overlaps(stated, rows, fps)
    begins_s: dict[tuple[Path, str], set[float]] = {}
    for one in stated:
        for key, clip in one.clips.items():
            begins_s.setdefault((clip.file, key), set()).add(clip.start_s)
    for one, own in zip(stated, rows, strict=True):
        spare_s = OVERLAP_FRAMES / fps
        if own.first_s >= -spare_s and own.last_s <= (own.count - 1) / fps + spare_s:
            continue  # as frame_index / fps, which `overlaps` has checked
        for key, clip in one.clips.items():
            end_s = clip.end_s if clip.end_s is not None and clip.end_s > clip.start_s else np.inf
            later = (start_s for start_s in begins_s[clip.file, key] if start_s > clip.start_s)
            end_s = min(end_s, *later, np.inf)
            if own.first_s < -spare_s or clip.start_s + own.last_s > end_s - spare_s:
                found.setdefault(one.index, {})[key] = (
                    f"its time stamps are {own.first_s:.6g} to {own.last_s:.6g} s, its part of "
                    f"{clip.file.name} lasts {end_s - clip.start_s:.6g} s: rows would get frames of another "
                    f"episode; expected time stamps that begin at 0 in each episode"
                )
    return found


def overlaps(stated: Sequence[Stated], rows: Sequence[Rows], fps: float) -> dict[int, dict[str, str]]:
    """By index of the episode and camera: why its clip cannot be right. Of two the later one is named."""
    members: dict[tuple[Path, str], list[int]] = {}
    for i, one in enumerate(stated):
        for key, clip in one.clips.items():
            members.setdefault((clip.file, key), []).append(i)
    found: dict[int, dict[str, str]] = {}
    for (file, key), own in members.items():
        if len(own) == 1:
            continue
        starts_s = np.array([stated[i].clips[key].start_s for i in own])
        order = np.argsort(starts_s, kind="stable")
        starts_s = starts_s[order]
        ends_s = starts_s + np.array([rows[i].count for i in own])[order] / fps
        latest_s = np.maximum.accumulate(ends_s)
        which = np.maximum.accumulate(np.where(ends_s == latest_s, np.arange(len(own)), 0))  # ends then
        for at in np.flatnonzero((latest_s[:-1] - starts_s[1:]) * fps > OVERLAP_FRAMES) + 1:
            other, until_s = stated[own[order[which[at - 1]]]], latest_s[at - 1]
            found.setdefault(stated[own[order[at]]].index, {})[key] = (
                f"{file}: its frames begin at {starts_s[at]:.6g} s, before those of {other.name} end at "
                f"{until_s:.6g} s; expected frames of its own: correct from_timestamp"
            )
    return found
