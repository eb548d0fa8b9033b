"""Episodes that a store knows: the hashes of their frames, so that no frame is read again to find out.

    <segment>/episodes.bin   a record for each episode: key, where its frames are listed, their checksum, seal
              frames.bin     the hashes of all views of all frames, episode after episode

An episode's key is made of its identity, which the dataset gives. An entry names frames and no rows, so it
holds whichever segments their rows are in, and an episode of which a row is missing is simply not known.
"""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

import numpy as np

from s2robot.features.damage import damaged, file_size
from s2robot.features.hashing import HASH, checksum, digest, sealed, seals
from s2robot.features.views import Views

ENTRY = np.dtype([("key", HASH), ("start", "<u8"), ("count", "<u8"), ("checksum", "<u8"), ("seal", "<u8")])
EPISODES_AT_ONCE = 1000


def identity_key(identity: str, camera: str, views: Views) -> bytes:
    """The key of a camera's frames in one episode."""
    known_by = [identity, camera, *([astuple(views)] if views.count > 1 else [])]
    return digest(json.dumps(known_by).encode())


def entries_of(episodes: Mapping[bytes, np.ndarray], start: int, entries: int) -> np.ndarray:
    """The records of episodes whose hashes are listed from `start` on, behind so many other `entries`."""
    made = np.empty(len(episodes), ENTRY)
    for i, (key, hashes) in enumerate(episodes.items()):
        made[i] = (key, start, hashes.size, checksum(hashes.view(np.uint8)), 0)
        start += hashes.size
    return sealed(made, entries)


def known_episodes(segments: Iterable[Path], keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
    """The hashes of the frames of each episode that one of the segments (folders) knows, by its key.

    Frame by frame and view by view. Raises UserError for a damaged manifest.
    """
    wanted = set(keys)
    found: dict[bytes, np.ndarray] = {}
    for folder in segments:
        found.update(episodes_of(folder, wanted))
    return found


def episodes_of(folder: Path, wanted: Container[bytes] | None = None) -> Iterator[tuple[bytes, np.ndarray]]:
    """The key and the hashes of the frames of each episode that a segment (folder) knows, all or the wanted.

    Raises UserError for a damaged manifest.
    """
    file, listing = folder / "episodes.bin", folder / "frames.bin"
    cure = f"{file} and {listing.name}"
    entries = np.fromfile(file, ENTRY) if file_size(file) else np.empty(0, ENTRY)  # whole records alone
    wrong = seals(entries, np.arange(len(entries))) != entries["seal"]
    if wrong.any():
        raise damaged(file, f"record {wrong.argmax()} is not what was written", cure)
    whole = file_size(listing) // HASH.itemsize
    if len(entries) and (entries["start"] + entries["count"]).max() > whole:
        raise damaged(listing, "it is shorter than the episodes that it lists", cure)
    listed = np.memmap(listing, HASH, "r", shape=(whole,)) if whole else np.empty(0, HASH)
    for key, start, count, expected, _ in entries.tolist():
        if wanted is None or key in wanted:
            hashes = np.array(listed[start : start + count])
            if checksum(hashes.view(np.uint8)) != expected:
                raise damaged(listing, f"the {count} frames from {start} on are not what was written", cure)
            yield key, hashes


def in_batches(segments: Iterable[Path]) -> Iterator[dict[bytes, np.ndarray]]:
    """All episodes that the segments (folders) know, as `known_episodes` gives them, some at a time."""
    batch: dict[bytes, np.ndarray] = {}
    for folder in segments:
        for key, hashes in episodes_of(folder):
            batch[key] = hashes
            if len(batch) == EPISODES_AT_ONCE:
                yield batch
                batch = {}
    if batch:
        yield batch
