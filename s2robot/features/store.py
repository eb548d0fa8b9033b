"""The feature store on disk: one folder for each way of encoding, one row for each different frame (or view).

    <root>/<encoder>-<key>/
        settings.json     all that decides the features; its hash is the key
        rows.bin          the features, row after row (see `row.py`), only ever appended to
        index.bin         a record for each row: hash of the frame (or view), checksum of the row
        manifests/        episodes that are known: which rows their frames are (see `manifest.py`)
        lock              held by the process that appends

Rows are on the disk before the records that name them, so what a killed build, or one on a full disk,
leaves behind is valid up to the last whole record; the next build cuts off what follows it.
"""

import fcntl
import hashlib
import io
import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from s2robot.encoders.base import EncoderSpec
from s2robot.errors import UserError
from s2robot.features.mapped import MappedRows
from s2robot.features.options import FeaturesConfig
from s2robot.features.row import Row
from s2robot.files import cache_root, write_text

FORMAT = 1
DTYPES = {"float16": torch.float16, "float32": torch.float32}
FRAME_HASH_BYTES = 16
RECORD = np.dtype([("frame", f"V{FRAME_HASH_BYTES}"), ("checksum", "<u4")])

log = logging.getLogger(__name__)


def frame_hash(frame: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """The hash under which a decoded frame is stored: of its pixels and its shape."""
    digest = hashlib.blake2b(repr(frame.shape).encode(), digest_size=FRAME_HASH_BYTES)
    digest.update(np.ascontiguousarray(frame).data)
    return digest.digest()


class FeatureStore:
    """The rows of one way of encoding; reading needs no lock.

    `shape` is (c, gh, gw) of a frame's map, `dtype` "float16" or "float32"; `row` says whether prefix tokens
    follow the map. Raises UserError if the folder on disk was made with other settings, or is damaged.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        shape: tuple[int, int, int],
        dtype: str = FeaturesConfig.dtype,
        root: str | Path | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise UserError(f"features are stored as {' or '.join(DTYPES)}, not as {dtype!r}")
        self.row, self.dtype = Row(shape, spec.prefix_shape), DTYPES[dtype]
        self.row_bytes = self.row.numbers * self.dtype.itemsize
        settings = {"format": FORMAT, "dtype": dtype, "shape": list(shape), "encoder": spec.to_dict()}
        if self.row.prefix:  # stores of encoders without prefix tokens keep their key
            settings["prefix"] = list(self.row.prefix)
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = Path(root or cache_root() / "features").expanduser() / f"{spec.name}-{key}"
        self.manifests = self.folder / "manifests"
        self._index_file, self.rows_file = self.folder / "index.bin", self.folder / "rows.bin"
        self._check_settings(settings)

    def __len__(self) -> int:
        """Rows that are valid now."""
        count = file_size(self._index_file) // RECORD.itemsize
        if file_size(self.rows_file) < count * self.row_bytes:
            there = file_size(self.rows_file) // self.row_bytes
            raise UserError(
                f"feature store {self.folder} is damaged: {count} rows are listed and {there} are there; "
                f"delete the folder to encode them again"
            )
        return count

    def rows(self) -> MappedRows:
        """All rows, mapped from the disk."""
        return MappedRows(self.rows_file, len(self), self.row.numbers, self.dtype)

    def index(self, count: int) -> np.ndarray:
        """The first `count` records (dtype `RECORD`)."""
        return np.fromfile(self._index_file, RECORD, count) if count else np.empty(0, RECORD)

    def damaged_rows(self, among: Iterable[int] | None = None) -> list[int]:
        """Rows (all, or those `among`) whose bytes differ from the checksum that was stored with them."""
        rows, checksums = self.rows().data, self.index(len(self))["checksum"]
        checked = range(len(rows)) if among is None else among
        return [row for row in checked if zlib.crc32(rows[row].numpy().data) != checksums[row]]

    @contextmanager
    def writer(self) -> Iterator["Writer"]:
        """The only writer of this store; waits for another one to finish."""
        with open(self.folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("waiting for another build of %s", self.folder)
                fcntl.flock(lock, fcntl.LOCK_EX)
            writer = Writer(self)
            try:
                yield writer
            finally:
                writer.close()

    def _check_settings(self, settings: dict[str, Any]) -> None:
        file = self.folder / "settings.json"
        if not file.exists():
            try:
                self.manifests.mkdir(parents=True, exist_ok=True)
                write_text(file, json.dumps(settings, indent=2) + "\n")
            except OSError as error:
                raise UserError(
                    f"cannot make feature store {self.folder}: {error.strerror} (S2ROBOT_CACHE moves it)"
                ) from error
            return
        try:
            stored = json.loads(file.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"feature store {self.folder} is damaged: settings.json is no JSON") from error
        if not isinstance(stored, dict):
            stored = {}
        differing = sorted(key for key in settings if stored.get(key) != settings[key])
        if differing:
            raise UserError(
                f"feature store {self.folder} was made with other settings ({', '.join(differing)}) than its "
                f"name says; delete the folder to encode its frames again"
            )


class Writer:
    """Appends to a store. Rows count once they are committed."""

    def __init__(self, store: FeatureStore) -> None:
        self.store = store
        committed = len(store)
        # unbuffered, so that nothing is left to be written, and to fail, when they are closed
        self._rows = open(store.rows_file, "ab", buffering=0)  # noqa: SIM115
        self._index = open(store._index_file, "ab", buffering=0)  # noqa: SIM115
        self._rows.truncate(committed * store.row_bytes)  # what a killed build did not commit
        self._index.truncate(committed * RECORD.itemsize)
        self._pending: list[tuple[bytes, int]] = []
        keys: list[bytes] = store.index(committed)["frame"].tolist()
        self._row_of = {key: row for row, key in enumerate(keys)}
        self._count = committed

    def __len__(self) -> int:
        """Rows so far, committed or not."""
        return self._count

    def find(self, frame: bytes) -> int | None:
        """The row of the frame with this hash, if it has one."""
        return self._row_of.get(frame)

    def append(self, frames: Sequence[bytes], rows: Float[Tensor, "n d"]) -> None:
        """Add the row of each frame (given by its hash), in the store's dtype."""
        for frame, row in zip(frames, rows.to("cpu", self.store.dtype), strict=True):
            data = row.numpy().tobytes()
            with saving(self.store):
                write_all(self._rows, data)
            self._pending.append((frame, zlib.crc32(data)))
            self._row_of[frame] = self._count
            self._count += 1

    def commit(self) -> None:
        """Write all rows so far to the disk: they survive a kill and a crash of the machine."""
        if not self._pending:
            return
        with saving(self.store):
            os.fsync(self._rows.fileno())
            write_all(self._index, np.array(self._pending, RECORD).tobytes())
            os.fsync(self._index.fileno())
        self._pending = []

    def close(self) -> None:
        self._rows.close()
        self._index.close()


@contextmanager
def saving(store: FeatureStore) -> Iterator[None]:
    """Errors while files of the store are written, such as a full disk, become a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write to feature store {store.folder}: {error.strerror}; "
            f"the {len(store)} rows stored so far stay usable"
        ) from error


def write_all(file: io.FileIO, data: bytes) -> None:
    """Write all of it, in as many calls as the system needs."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def file_size(file: Path) -> int:
    """Bytes of a file, 0 if there is none."""
    return file.stat().st_size if file.exists() else 0
