"""A feature build over the nodes of a cluster: every actor writes segments of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from s2robot import plugins
from s2robot.cluster.pool import Pool
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.options import DataConfig
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError
from s2robot.features.batches import Batches
from s2robot.features.camera_store import CameraStore
from s2robot.features.options import FeaturesConfig
from s2robot.features.writer import Writer
from s2robot.progress import progress

LEAST_FRAMES = 256  # of a piece, about: each has a last batch that is not full


@dataclass(frozen=True)
class Recipe:
    """What a node needs: paths that all nodes must have, and options."""

    data: DataConfig
    encoder: EncoderConfig
    features: FeaturesConfig
    device: str
    modules: Sequence[str]  # that were loaded by name


class BuildWorker:
    """Encodes and stores episodes on a node, all cameras of each."""

    def __init__(self, recipe: Recipe, identities: Mapping[str, str]) -> None:
        """`identities`: by camera, of the first episode. Raises `UserError` if they are others here."""
        plugins.load(recipe.modules)
        keep_freed_memory()
        self._source, self._config = dataset_of_frames(recipe.data), recipe.features
        first, cameras = self._source.episodes[0], list(identities)
        if any(self._source.episode_identity(first, one) != identities[one] for one in cameras):
            raise UserError(f"{self._source.path} is another file there than on this machine")
        self._encoders = CameraEncoders.from_config(recipe.encoder, recipe.device)
        self._cameras, self._writers = cameras, dict[str, Writer]()

    def run(self, episodes: Sequence[int]) -> Iterator[tuple[Sequence[int], tuple[int, int]]]:
        """Frames read and encoded since the last result; see `s2robot.cluster.node.Worker`.

        All frames of the episodes are on the disk when they are done.
        """
        for camera in self._cameras:
            opened = CameraStore(self._source, camera, self._encoders, self._config, episodes)
            writer = self._writers.setdefault(camera, Writer(opened.store))
            before = len(writer)
            with Batches(opened, writer) as batches:
                for frames in opened.read_ahead():
                    batches.add(frames)
                    yield [], (len(frames.hashes), 0)
            yield [], (0, len(writer) - before)
        yield episodes, (0, 0)

    def close(self) -> None:
        """Write the indexes of the segments."""
        for writer in self._writers.values():
            writer.__exit__(None, None, None)


def build_over_nodes(ray: Any, stores: Sequence[CameraStore], recipe: Recipe, shown: bool) -> int:
    """Encode what these stores (of one dataset's cameras) miss, by the nodes of a cluster; how many frames.

    Raises `UserError` where no node can do it, where the features are not seen from here when they are built,
    and as `s2robot.features.build` does.
    """
    encoded = 0
    with ExitStack() as locks:
        for one in {opened.store.folder: opened.store for opened in stores}.values():  # cameras may share it
            locks.enter_context(one.lock("build"))
        for opened in stores:
            opened.look_up()  # again: another build may have held the lock
        missing = sorted({episode for opened in stores for episode in opened.missing})
        if missing:
            source = stores[0].source
            frames = sum(source.lengths[episode] for episode in missing)
            on_gpu = stores[0].encoders.base.backend.device.type == "cuda"
            first = source.episodes[0]
            known = {opened.camera: source.episode_identity(first, opened.camera) for opened in stores}
            make = partial(BuildWorker, recipe, known)
            results = Pool(ray, make, on_gpu).run(missing, least=-(-LEAST_FRAMES * len(missing) // frames))
            if shown:
                total, what = frames * len(stores), "features over nodes (frames)"
                results = progress(results, total, what, size=lambda read_and_encoded: read_and_encoded[0])
            encoded = sum(new for _, new in results)
            for opened in stores:
                opened.look_up()
    if apart := [opened for opened in stores if opened.missing]:
        raise UserError(
            f"the nodes have built the features of {apart[0].camera}, but not all of them are in "
            f"{apart[0].store.folder} here: name a folder that all nodes share with --root, or merge theirs"
        )
    return encoded


def dataset_of_frames(data: DataConfig) -> Dataset:
    """The dataset of these options, whose frames alone are read."""
    # a file without any proprioception that train would take is no mistake then
    return open_dataset(replace(data, proprio=[]) if data.proprio is None else data)
