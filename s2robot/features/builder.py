"""Encode the frames of a dataset that the store does not have yet, and only those."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.features.manifest import load_manifest, save_manifest
from s2robot.features.store import FeatureStore, Writer, frame_hash
from s2robot.features.table import FeatureTable
from s2robot.features.views import AS_IT_IS, Views
from s2robot.progress import progress as shown
from s2robot.types import FrameSource

BATCH_FRAMES = 64
COMMIT_INTERVAL_S = 5.0  # what a killed build may lose

EpisodeFrames = tuple[str, np.ndarray, list[bytes]]  # episode, uint8 "t h w 3", hash of each frame


@dataclass(frozen=True)
class BuildReport:
    """What a build did; each view of a frame counts as a frame."""

    frames_encoded: int
    frames_found: int  # already stored, or the same as another frame
    bytes: int  # of this dataset's features in the store
    seconds: float
    folder: Path


def build(
    source: FrameSource,
    camera: str,
    encoders: CameraEncoders,
    root: str | Path | None = None,
    progress: bool = True,
    dtype: str = "float16",
    views: Views = AS_IT_IS,
) -> FeatureTable:
    """The features of all frames of a dataset's camera, encoded where they are not stored yet.

    The store lives under `root` (`<cache>/features` unless given). `progress` shows how far it is and
    prints a line at the end. Raises UserError for frames that the encoder cannot take (named by episode),
    features that are not finite, a full disk or a damaged store.
    """
    return build_with_report(source, camera, encoders, root, progress, dtype, views)[0]


def build_with_report(
    source: FrameSource,
    camera: str,
    encoders: CameraEncoders,
    root: str | Path | None = None,
    progress: bool = True,
    dtype: str = "float16",
    views: Views = AS_IT_IS,
) -> tuple[FeatureTable, BuildReport]:
    """`build`, and what it did."""
    start = time.monotonic()
    shape = encoders.feature_shape(camera, source.image_size(camera))
    store = FeatureStore(encoders.encoder(camera).spec, shape, dtype, root)
    rows = load_manifest(store, source, camera, views)
    encoded = 0
    if rows is None:
        with store.writer() as writer:
            before = len(store)
            rows = _store_frames(source, camera, encoders, views, writer, progress)
            encoded = len(store) - before
            save_manifest(store, source, camera, rows, views)
    table = FeatureTable(store.rows(), store.row, torch.from_numpy(rows), source.lengths)
    report = BuildReport(
        frames_encoded=encoded,
        frames_found=rows.size - encoded,
        bytes=len(np.unique(rows)) * store.row_bytes,
        seconds=time.monotonic() - start,
        folder=store.folder,
    )
    if progress:
        print(
            f"features of {camera}: {report.frames_encoded} frames encoded, {report.frames_found} found, "
            f"{report.bytes / 2**20:.0f} MiB, {report.seconds:.1f} s, in {report.folder}"
        )
    return table, report


def _store_frames(
    source: FrameSource,
    camera: str,
    encoders: CameraEncoders,
    views: Views,
    writer: Writer,
    progress: bool,
) -> Int[np.ndarray, "n k"]:
    """Encode and store what is new; the row of every view of every frame."""
    rows = []
    committed = time.monotonic()
    episodes = frames_ahead(source, camera)
    if progress:
        episodes = shown(episodes, len(source.episodes), f"features of {camera} (episodes)")
    for episode, frames, hashes in episodes:
        keys = [views.keys(h) for h in hashes]
        every = {key: (i, view) for i, own in enumerate(keys) for view, key in enumerate(own)}
        new = [key for key in every if writer.find(key) is None]
        for part in (new[i : i + BATCH_FRAMES] for i in range(0, len(new), BATCH_FRAMES)):
            pixels = [views.draw(frames[i], hashes[i], view) for i, view in map(every.__getitem__, part)]
            features = writer.store.row.join(encoders.encode(camera, np.stack(pixels))).to(writer.store.dtype)
            finite = features.isfinite().all(1)
            if not finite.all():
                frame, _ = every[part[int(finite.int().argmin())]]
                raise UserError(
                    f"features of {camera}, {episode}, frame {frame} are not finite in {features.dtype}"
                )
            writer.append(part, features)
        rows += [[writer.find(key) for key in own] for own in keys]
        if time.monotonic() - committed > COMMIT_INTERVAL_S:
            writer.commit()
            committed = time.monotonic()
    writer.commit()
    return np.array(rows, np.int64)


def frames_ahead(source: FrameSource, camera: str) -> Iterator[EpisodeFrames]:
    """Each episode's frames and their hashes; the next one is read and hashed while this one is encoded."""

    def read(episode: str, length: int) -> EpisodeFrames:
        frames = source.read_frames(episode, camera)
        if frames.shape[:3] != (length, *source.image_size(camera)):
            raise UserError(
                f"{camera} of {episode} has frames of another number or size than the dataset says"
            )
        if frames.dtype == np.uint8 and frames.any() and frames.max() <= 1:
            raise UserError(
                f"{camera} of {episode} holds only 0 and 1: were floats in [0, 1] stored as uint8?"
            )
        return episode, frames, [frame_hash(frame) for frame in frames]

    episodes = list(zip(source.episodes, source.lengths, strict=True))
    with ThreadPoolExecutor(1, thread_name_prefix="read") as thread:
        ahead = [thread.submit(read, *episode) for episode in episodes[:1]]
        for following in [*episodes[1:], None]:
            if not ahead:
                return
            current = ahead.pop().result()
            if following is not None:
                ahead.append(thread.submit(read, *following))
            yield current
