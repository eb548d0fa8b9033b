"""Encode the frames of a dataset that the store does not have yet, and only those."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError, number_of
from s2robot.features.camera_store import CameraStore
from s2robot.features.hashing import HASH
from s2robot.features.options import FeaturesConfig
from s2robot.features.reading import Frames, frames_ahead
from s2robot.features.source import FrameSource
from s2robot.features.table import FeatureTable
from s2robot.features.writer import Writer
from s2robot.progress import progress as shown

BATCH_FRAMES = 64
COMMIT_INTERVAL_S = 5.0  # of work that a killed build may lose


@dataclass(frozen=True)
class BuildReport:
    """What a build did; each view of a frame counts as a frame."""

    frames_encoded: int
    frames_found: int  # already stored, or equal to another frame
    bytes: int  # of this dataset's features in the store
    seconds: float
    folder: Path


def build(
    source: FrameSource,
    camera: str,
    encoders: CameraEncoders,
    config: FeaturesConfig | None = None,
    progress: bool = True,
    episodes: Sequence[int] | None = None,
) -> FeatureTable:
    """The features of a dataset's camera; frames that are not stored yet are encoded.

    `config` says how they are stored and where, `episodes` (indices; all unless given) which are needed:
    no other is read or encoded, and the table refuses to gather its frames. Frames are numbered through the
    whole dataset either way. `progress` shows the progress and prints a line at the end. Raises UserError for
    frames that the encoder cannot take (file, episode and camera are named), features that are not finite, a
    full disk and a damaged store.
    """
    return build_with_report(source, camera, encoders, config, progress, episodes)[0]


def build_with_report(
    source: FrameSource,
    camera: str,
    encoders: CameraEncoders,
    config: FeaturesConfig | None = None,
    progress: bool = True,
    episodes: Sequence[int] | None = None,
) -> tuple[FeatureTable, BuildReport]:
    """`build`, and what it did."""
    start = time.monotonic()
    opened = CameraStore(source, camera, encoders, config, episodes)
    encoded = 0
    if opened.missing:
        with opened.store.lock("build"):
            opened.look_up()  # again: another build may have held the lock
            encoded = _store_missing(opened, progress)
            opened.look_up()
    table = opened.table()
    report = BuildReport(
        frames_encoded=encoded,
        frames_found=len(table.frames) * table.views - encoded,
        bytes=table.nbytes,
        seconds=time.monotonic() - start,
        folder=opened.store.folder,
    )
    if progress:
        frames = number_of(report.frames_encoded, "frame")
        print(
            f"features of {camera}: {frames} encoded, {report.frames_found} found, "
            f"{report.bytes / 2**20:.0f} MiB, {report.seconds:.1f} s, in {report.folder}"
        )
    return table, report


def _store_missing(opened: CameraStore, progress: bool) -> int:
    """Encode and store the frames that are new; how many they were."""
    missing = opened.missing
    pieces = frames_ahead(opened.source, opened.camera, missing)
    if progress:
        total = sum(opened.source.lengths[episode] for episode in missing)
        what = f"features of {opened.camera} (frames)"
        pieces = shown(pieces, total, what, size=lambda piece: len(piece.hashes))
    with Writer(opened.store) as writer:
        batches = _Batches(opened, writer)
        for piece in pieces:
            batches.add(piece)
        batches.finish()
    return len(writer)


class _Batches:
    """Frames as they are read, encoded in batches of one size across the ends of episodes, and stored.

    On a GPU every other size of a batch costs seconds of planning: there the last one is filled up.
    """

    def __init__(self, opened: CameraStore, writer: Writer) -> None:
        self._opened, self._writer = opened, writer
        self._pixels = np.zeros((BATCH_FRAMES, *opened.image_size, 3), np.uint8)
        self._waiting: list[tuple[bytes, int, int]] = []  # key, episode, frame: of the batch being filled
        self._hashes: dict[int, np.ndarray] = {}  # "t k" of each episode that is being read
        self._complete: list[tuple[int, int]] = []  # episodes that were read, and the rows that they need
        self._committed = time.monotonic()

    def add(self, piece: Frames) -> None:
        """Take the frames that are new into the batch, in each view; encode it whenever it is full."""
        views, length = self._opened.views, self._opened.source.lengths[piece.episode]
        keys = [key for frame in piece.hashes for key in views.keys(frame)]
        hashes = np.frombuffer(b"".join(keys), HASH)
        of_episode = self._hashes.setdefault(piece.episode, np.empty((length, views.count), HASH))
        stop = piece.start + len(piece.hashes)
        of_episode[piece.start : stop] = hashes.reshape(-1, views.count)
        for i in np.flatnonzero(~self._writer.stored(hashes)).tolist():
            if self._writer.claim(keys[i]):
                number, view = divmod(i, views.count)
                pixels = views.draw(piece.pixels[number], piece.hashes[number], view)
                # a copy, so that the piece it was read with can go
                self._pixels[len(self._waiting)] = pixels
                self._waiting.append((keys[i], piece.episode, piece.start + number))
                if len(self._waiting) == len(self._pixels):
                    self._encode()
                    self._commit_now_and_then()
        if stop == length:
            self._complete.append((piece.episode, len(self._writer) + len(self._waiting)))
        self._commit_now_and_then()

    def finish(self) -> None:
        """Encode what is left and commit."""
        if self._waiting:
            self._encode()
        self._commit()

    def _encode(self) -> None:
        count = len(self._waiting)
        fill = self._opened.encoders.base.backend.plans_shapes  # with the frames of earlier batches
        rows = self._opened.encode(self._pixels if fill else self._pixels[:count])[:count]
        finite = rows.isfinite().all(1)
        if not finite.all():
            _, episode, number = self._waiting[int(finite.int().argmin())]
            source, camera = self._opened.source, self._opened.camera
            raise UserError(
                f"{source.path}: features of {camera}, {source.episodes[episode]}, frame {number} are not "
                f"finite in {rows.dtype}"
            )
        keys = b"".join(key for key, _, _ in self._waiting)
        self._writer.append(np.frombuffer(keys, HASH), rows.numpy())
        self._waiting = []

    def _commit_now_and_then(self) -> None:
        if time.monotonic() - self._committed > COMMIT_INTERVAL_S:
            self._commit()

    def _commit(self) -> None:
        self._writer.commit()
        stored = [episode for episode, rows in self._complete if rows <= len(self._writer)]
        self._writer.remember({self._opened.key_of(e): self._hashes.pop(e) for e in stored})
        self._complete = [(episode, rows) for episode, rows in self._complete if rows > len(self._writer)]
        self._committed = time.monotonic()
