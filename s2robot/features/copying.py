"""Copy the rows and the episodes of stores into one.

Every row is compared with its checksum on the way. A copy appends a segment of its own, so one that is killed
leaves a valid store, and the same copy, made again, goes on where it was.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from s2robot.errors import UserError
from s2robot.features.manifest import in_batches, known_episodes
from s2robot.features.mapped import MappedRows
from s2robot.features.snapshot import Snapshot
from s2robot.features.store import FeatureStore
from s2robot.features.writer import Writer
from s2robot.progress import progress as shown

PIECE_BYTES = 2**26  # of rows that are copied at once


@dataclass(frozen=True)
class Merged:
    """What a merge did in one store of the target."""

    folder: Path
    copied: int  # rows
    found: int  # rows that the target had already
    episodes: int  # that were new there


def merge_stores(sources: Sequence[Path], into: Path, progress: bool = True) -> list[Merged]:
    """Copy the stores in some folders into the stores of the same settings under `into`, equal rows once.

    A source is the folder of one store, or one that holds several (`features.root`). Raises UserError for a
    source that has none, for a damaged one and for one that is the target itself.
    """
    folders = [folder for source in sources for folder in store_folders(source)]
    for folder in folders:
        if into.resolve() == folder.parent.resolve() or into.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                f"--into {into} holds {folder} or lies in it, which is to be merged; give another"
            )
    return [
        _merge(FeatureStore.like(folder), FeatureStore.like(folder, into), progress) for folder in folders
    ]


def store_folders(path: Path) -> list[Path]:
    """The folders of the stores at a path: itself, or those in it. Raises UserError where there is none."""
    folders = [path] if (path / "settings.json").is_file() else []
    folders = folders or sorted(file.parent for file in path.glob("*/settings.json"))
    if not folders:
        raise UserError(
            f"{path} holds no feature store: expected settings.json in it, or in the folders in it"
        )
    return folders


def _merge(source: FeatureStore, target: FeatureStore, progress: bool) -> Merged:
    with target.lock("merge"), Writer(target) as writer:
        snapshot = source.snapshot()
        _copy_new(source, snapshot, writer, progress)
        episodes = 0
        for batch in in_batches(source.segment_folders()):
            known = known_episodes(target.segment_folders(), batch)
            new = {key: hashes for key, hashes in batch.items() if key not in known}
            writer.remember(new)
            episodes += len(new)
        return Merged(target.folder, len(writer), len(snapshot) - len(writer), episodes)


def _copy_new(source: FeatureStore, snapshot: Snapshot, writer: Writer, progress: bool) -> None:
    rows = source.rows(snapshot)
    for piece in pieces(source, np.arange(len(snapshot)), progress):
        hashes = snapshot.hashes(piece)
        new = np.flatnonzero(~writer.stored(hashes)).tolist()
        copy(rows, snapshot, piece[[i for i in new if writer.claim(hashes[i].tobytes())]], writer)
        if writer.is_full:
            writer.forget_committed()


def copy(rows: MappedRows, snapshot: Snapshot, which: Int[np.ndarray, "n"], writer: Writer) -> None:
    """Append some rows of a snapshot to another segment. Raises UserError for one that is damaged."""
    if len(which):
        copies = np.empty((len(which), rows.numbers), torch.empty(0, dtype=rows.dtype).numpy().dtype)
        rows.take(which, copies)
        writer.append(snapshot.hashes(which), copies)
        writer.commit()


def pieces(store: FeatureStore, rows: Int[np.ndarray, "n"], progress: bool) -> Iterator[Int[np.ndarray, "m"]]:
    """Rows of a store, as many at a time as fit into `PIECE_BYTES`."""
    size = max(1, PIECE_BYTES // store.row_bytes)
    parts: Iterable[np.ndarray] = (rows[i : i + size] for i in range(0, len(rows), size))
    return iter(
        shown(parts, len(rows), f"copying {store.folder.name} (rows)", size=len) if progress else parts
    )
