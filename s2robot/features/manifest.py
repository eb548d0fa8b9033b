"""Episodes that a store knows: which rows their frames are, so that no frame is read again to find out.

    <store>/manifests/episodes.bin   a record for each episode: key, digest, where its rows are listed
                      rows.bin       the rows (int64) of all views of all frames, episode after episode

Both files are only appended to, by the holder of the store's lock. An episode's key is made of its identity,
which the dataset gives; its digest is that of the frames that the store's index lists for its rows. An entry
that does not agree with the store, or is torn, only costs reading the episode's frames again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path

import numpy as np
from jaxtyping import Int

from s2robot.features.store import FeatureStore, file_size, saving, write_all
from s2robot.features.views import Views

DIGEST_BYTES = 16
ENTRY = np.dtype(
    [("key", f"V{DIGEST_BYTES}"), ("frames", f"V{DIGEST_BYTES}"), ("start", "<u8"), ("count", "<u8")]
)
ROW = np.dtype("<i8")


def identity_key(identity: str, camera: str, views: Views) -> bytes:
    """The key of a camera's rows in one episode."""
    known_by = [identity, camera, *([astuple(views)] if views.count > 1 else [])]
    return _digest(json.dumps(known_by).encode())


class Manifest:
    """The episodes of all datasets that one store knows."""

    def __init__(self, store: FeatureStore) -> None:
        self.store = store
        self._entries_file = store.manifests / "episodes.bin"
        self._rows_file = store.manifests / "rows.bin"

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Int[np.ndarray, "_"]]:
        """The rows of each episode that is known, frame by frame and view by view, by its key."""
        entries, listed = _read(self._entries_file, ENTRY), _read(self._rows_file, ROW)
        place = {key: i for i, key in enumerate(entries["key"].tolist())}  # the last entry of a key counts
        frames = self.store.index(len(self.store))["frame"]
        found = {}
        for key in keys:
            if key not in place:
                continue
            _, digest, start, count = entries[place[key]].tolist()
            rows = listed[start : start + count]
            inside = len(rows) == count > 0 and rows.min() >= 0 and rows.max() < len(frames)
            if inside and _digest(frames[rows].tobytes()) == digest:
                found[key] = rows
        return found

    def add(self, episodes: Mapping[bytes, Int[np.ndarray, "_ k"]]) -> None:
        """Append episodes by their key; all their rows must be committed."""
        start = file_size(self._rows_file) // ROW.itemsize
        added = np.empty(len(episodes), ENTRY)
        frames = self.store.index(len(self.store))["frame"]
        for i, (key, rows) in enumerate(episodes.items()):
            added[i] = (key, _digest(frames[rows.ravel()].tobytes()), start, rows.size)
            start += rows.size
        listed = np.concatenate([np.empty(0, ROW), *(rows.ravel() for rows in episodes.values())])
        with saving(self.store):
            self.store.manifests.mkdir(exist_ok=True)
            _append(self._rows_file, listed)
            _append(self._entries_file, added)


def _read(file: Path, dtype: np.dtype) -> np.ndarray:
    """The whole records of a file."""
    return np.fromfile(file, dtype) if file.exists() else np.empty(0, dtype)


def _append(file: Path, records: np.ndarray) -> None:
    """Write records behind the whole ones; half a record of a killed build is cut off."""
    with open(file, "ab", buffering=0) as opened:
        opened.truncate(file_size(file) // records.itemsize * records.itemsize)
        write_all(opened, records.tobytes())


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
