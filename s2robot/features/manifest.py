"""Datasets that a store has seen: which rows their frames are, so that no frame is read to find out again."""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from s2robot.features.store import FeatureStore
from s2robot.features.views import AS_IT_IS, Views
from s2robot.files import replacing
from s2robot.types import FrameSource


def save_manifest(
    store: FeatureStore,
    source: FrameSource,
    camera: str,
    rows: Int[np.ndarray, "n k"],
    views: Views = AS_IT_IS,
) -> None:
    """Remember the rows of all views of all frames of a dataset's camera, under the dataset's identity."""
    known = len(store)
    metadata = {
        "dataset": source.identity,
        "camera": camera,
        "lengths": json.dumps(list(source.lengths)),
        "known": str(known),
        "index": _index_digest(store, known),
    }
    file = _file(store, source, camera, views)
    with replacing(file) as scratch:
        save_file({"rows": rows}, scratch, metadata)


def load_manifest(
    store: FeatureStore, source: FrameSource, camera: str, views: Views = AS_IT_IS
) -> Int[np.ndarray, "n k"] | None:
    """The rows of a dataset's camera; None if it was never seen so, or if the store's rows changed."""
    file = _file(store, source, camera, views)
    if not file.exists():
        return None
    try:
        with safe_open(file, "numpy") as manifest:
            metadata, rows = manifest.metadata(), manifest.get_tensor("rows")
    except SafetensorError:
        return None  # a damaged manifest only costs reading the frames
    known = int(metadata["known"])
    same_rows = known <= len(store) and metadata["index"] == _index_digest(store, known)
    same_frames = metadata["lengths"] == json.dumps(list(source.lengths))
    return rows.reshape(len(rows), -1) if same_rows and same_frames else None


def _file(store: FeatureStore, source: FrameSource, camera: str, views: Views) -> Path:
    known_by = [source.identity, camera, *([astuple(views)] if views.count > 1 else [])]
    name = hashlib.sha256(json.dumps(known_by).encode()).hexdigest()[:32]
    return store.manifests / f"{name}.safetensors"


def _index_digest(store: FeatureStore, known: int) -> str:
    return hashlib.blake2b(store.index(known).tobytes(), digest_size=16).hexdigest()
