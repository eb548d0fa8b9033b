"""Stores of six rows that no encoder made."""

from collections.abc import Callable

import numpy as np

from s2robot.features.hashing import HASH
from s2robot.features.mapped import MappedRows
from s2robot.features.store import FeatureStore
from s2robot.features.writer import Writer

SHAPE = (112, 2, 2)
ROW_BYTES = 112 * 2 * 2 * 2
HASHES = np.array([bytes([i]) * 16 for i in range(6)], HASH)
MakeStore = Callable[..., FeatureStore]


def append(store: FeatureStore, rows: np.ndarray, which: range) -> Writer:
    with Writer(store) as writer:
        writer.append(HASHES[which], rows[which])
        writer.commit()
        writer.remember({b"k" * 15 + bytes([which.start]): HASHES[which]})
    return writer


def stored(store: FeatureStore) -> np.ndarray:
    """The row of each of `HASHES` that has one, in their order."""
    snapshot = store.snapshot()
    found = snapshot.find(HASHES)
    return taken(store.rows(snapshot), found[found >= 0])


def taken(rows: MappedRows, which: np.ndarray) -> np.ndarray:
    out = np.empty((len(which), rows.numbers), np.float16)
    rows.take(which, out)
    return out
