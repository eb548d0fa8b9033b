"""Rows that no episode of a store names: what they take, and a store without them.

A build that was killed leaves such rows, which the next build of the same frames uses, and several writers
may have stored a frame twice. A segment is never changed: what is named is copied into a new one, then the
old one is removed. Killed at any moment, the store has every named row; what is there twice goes next time.
"""

import shutil
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from s2robot.features.copying import copy, pieces
from s2robot.features.damage import saving
from s2robot.features.hashing import HASH
from s2robot.features.manifest import in_batches
from s2robot.features.mapped import MappedRows
from s2robot.features.segment import Segment
from s2robot.features.snapshot import Snapshot
from s2robot.features.store import FeatureStore
from s2robot.features.writer import Writer
from s2robot.files import SCRATCH_SUFFIX, scratch_name

QUIET_S = 3600.0  # a segment that was written to since may still be written


@dataclass(frozen=True)
class Garbage:
    """What a store has that no episode names."""

    folder: Path
    rows: int
    unnamed: int  # rows that no episode names, or that are there twice
    bytes: int  # that removing them frees
    left: int  # rows among them in segments that may still be written, which are left alone


def remove_unnamed(store: FeatureStore, dry_run: bool = True, progress: bool = True) -> Garbage:
    """Remove the rows that no episode names, or say what it would be. Raises UserError for a damaged store.

    Trainings on this machine keep the files that they have opened; one on another machine may not. To remove
    something no build or merge may be running, whose rows have no names yet; one that comes waits.
    """
    with nullcontext() if dry_run else store.locked_alone():
        if not dry_run:
            for removed in store.segments_folder.glob(f".*{SCRATCH_SUFFIX}"):  # of a run that was killed
                shutil.rmtree(removed)
        snapshot = store.snapshot()
        named = _named(store, snapshot)
        mapped = store.rows(snapshot)  # before any segment goes
        freed = left = 0
        for number, segment in enumerate(snapshot.segments):
            own = np.arange(*snapshot.starts[number : number + 2])
            unnamed = int((~named[own]).sum())
            if not unnamed:
                continue
            if _is_recent(segment):
                left += unnamed
                continue
            freed += unnamed
            if not dry_run:
                new = pieces(store, own[named[own]], progress)
                _replace(store, segment, mapped, snapshot, new)
        return Garbage(store.folder, len(snapshot), freed + left, freed * store.row_bytes, left)


def _named(store: FeatureStore, snapshot: Snapshot) -> Bool[np.ndarray, "n"]:
    """Which rows an episode names; of equal rows, one."""
    named = np.zeros(len(snapshot), bool)
    for batch in in_batches(store.segment_folders()):
        rows = snapshot.find(np.concatenate([np.empty(0, HASH), *batch.values()]))
        named[rows[rows >= 0]] = True
    return named


def _is_recent(segment: Segment) -> bool:
    newest = max(file.stat().st_mtime for file in segment.folder.iterdir())
    return time.time() - newest < QUIET_S


def _replace(
    store: FeatureStore,
    segment: Segment,
    mapped: MappedRows,
    snapshot: Snapshot,
    new: Iterable[Int[np.ndarray, "m"]],
) -> None:
    with Writer(store) as writer:
        for piece in new:
            copy(mapped, snapshot, piece, writer)
        for batch in in_batches([segment.folder]):
            writer.remember(batch)
    with saving(store.folder):
        removed = scratch_name(segment.folder)  # at once: a segment of which files are missing is damaged
        segment.folder.rename(removed)
        shutil.rmtree(removed)
