"""Encode the frames of a dataset that the store does not have yet, and only those."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import number_of
from s2robot.features.batches import Batches
from s2robot.features.camera_store import CameraStore
from s2robot.features.options import FeaturesConfig
from s2robot.features.source import FrameSource
from s2robot.features.table import FeatureTable
from s2robot.features.writer import Writer
from s2robot.progress import progress as shown


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
    share: str = "build",
) -> tuple[FeatureTable, BuildReport]:
    """`build`, and what it did. Of builds of the same `share`, one waits for the other."""
    start = time.monotonic()
    opened = CameraStore(source, camera, encoders, config, episodes)
    encoded = 0
    if opened.missing:
        with opened.store.lock(share):
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
    pieces = opened.read_ahead()
    if progress:
        total = sum(opened.source.lengths[episode] for episode in opened.missing)
        what = f"features of {opened.camera} (frames)"
        pieces = shown(pieces, total, what, size=lambda piece: len(piece.hashes))
    with Writer(opened.store) as writer, Batches(opened, writer) as batches:
        for piece in pieces:
            batches.add(piece)
    return len(writer)
