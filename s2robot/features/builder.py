"""Encode the frames of a dataset that the store does not have yet, and only those."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.features.camera_store import CameraStore
from s2robot.features.options import FeaturesConfig
from s2robot.features.reading import Frame, frames_ahead
from s2robot.features.source import FrameSource
from s2robot.features.store import Writer
from s2robot.features.table import FeatureTable
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
        with opened.store.writer() as writer:
            opened.look_up()  # again: another build may have held the lock
            before = len(writer)
            _store_missing(opened, writer, progress)
            encoded = len(writer) - before
    table = opened.table()
    report = BuildReport(
        frames_encoded=encoded,
        frames_found=len(table.frames) * table.views - encoded,
        bytes=table.nbytes,
        seconds=time.monotonic() - start,
        folder=opened.store.folder,
    )
    if progress:
        print(
            f"features of {camera}: {report.frames_encoded} frames encoded, {report.frames_found} found, "
            f"{report.bytes / 2**20:.0f} MiB, {report.seconds:.1f} s, in {report.folder}"
        )
    return table, report


def _store_missing(opened: CameraStore, writer: Writer, progress: bool) -> None:
    """Encode and store the frames that are new, and fill in the rows of all."""
    missing, batches = opened.missing, _Batches(opened, writer)
    frames = frames_ahead(opened.source, opened.camera, missing)
    if progress:
        total = sum(opened.source.lengths[episode] for episode in missing)
        frames = shown(frames, total, f"features of {opened.camera} (frames)")
    for frame in frames:
        batches.add(frame)
    batches.finish()


class _Batches:
    """Frames as they are read, encoded in batches of one size across the ends of episodes, and stored.

    On a GPU every other size of a batch costs seconds of planning, so only the last batch may be smaller.
    """

    def __init__(self, opened: CameraStore, writer: Writer) -> None:
        self._opened, self._writer = opened, writer
        self._pixels = np.empty((BATCH_FRAMES, *opened.image_size, 3), np.uint8)
        self._waiting: dict[
            bytes, tuple[int, int]
        ] = {}  # key -> episode and frame, of the batch being filled
        self._rows: dict[bytes, int] = {}  # that the waiting ones will have
        self._complete: list[int] = []  # episodes whose frames all have a row, not yet remembered
        self._committed = time.monotonic()

    def add(self, frame: Frame) -> None:
        """Give each view of the frame its row; encode the batch whenever it is full."""
        rows = self._opened.rows_of(frame.episode)
        for view, key in enumerate(self._opened.views.keys(frame.hash)):
            row = self._writer.find(key)
            rows[frame.number, view] = self._row_of_new(frame, view, key) if row is None else row
        if frame.number == len(rows) - 1:
            self._complete.append(frame.episode)
            self._commit_now_and_then()

    def finish(self) -> None:
        """Encode what is left and commit."""
        if self._waiting:
            self._encode()
        self._commit()

    def _row_of_new(self, frame: Frame, view: int, key: bytes) -> int:
        if key not in self._rows:
            pixels = self._opened.views.draw(frame.pixels, frame.hash, view)
            self._pixels[len(self._waiting)] = pixels  # a copy, so that the piece it was read with can go
            self._rows[key] = row = len(self._writer) + len(self._waiting)
            self._waiting[key] = (frame.episode, frame.number)
            if len(self._waiting) == len(self._pixels):
                self._encode()
                self._commit_now_and_then()
            return row
        return self._rows[key]

    def _encode(self) -> None:
        rows = self._opened.encode(self._pixels[: len(self._waiting)])
        finite = rows.isfinite().all(1)
        if not finite.all():
            episode, number = list(self._waiting.values())[int(finite.int().argmin())]
            source, camera = self._opened.source, self._opened.camera
            raise UserError(
                f"{source.path}: features of {camera}, {source.episodes[episode]}, frame {number} are not "
                f"finite in {rows.dtype}"
            )
        self._writer.append(list(self._waiting), rows)
        self._waiting, self._rows = {}, {}

    def _commit_now_and_then(self) -> None:
        if time.monotonic() - self._committed > COMMIT_INTERVAL_S:
            self._commit()

    def _commit(self) -> None:
        self._writer.commit()
        stored = {e for e in self._complete if self._opened.rows_of(e).max() < len(self._writer)}
        self._opened.remember(sorted(stored))
        self._complete = [episode for episode in self._complete if episode not in stored]
        self._committed = time.monotonic()
