"""A camera of a dataset together with the store of its features: the one place where a store is opened."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError, number_of
from s2robot.features.hashing import HASH
from s2robot.features.manifest import identity_key, known_episodes
from s2robot.features.options import FeaturesConfig
from s2robot.features.readers import count_of_readers, read_ahead
from s2robot.features.reading import Frames
from s2robot.features.source import FrameSource
from s2robot.features.store import FeatureStore
from s2robot.features.table import FeatureTable
from s2robot.features.views import Views


class CameraStore:
    """The features of a camera as far as they are stored.

    Only `episodes` (indices; all unless given) are looked up, built and gathered, but frames keep the numbers
    that they have in the whole dataset. `rows` "n k" are the rows of `snapshot` of each view of each frame,
    -1 for frames of other episodes and of episodes that the store does not know.
    Raises UserError for frames that the encoder cannot take, unknown settings and a damaged store.
    """

    def __init__(
        self,
        source: FrameSource,
        camera: str,
        encoders: CameraEncoders,
        config: FeaturesConfig | None = None,
        episodes: Sequence[int] | None = None,
    ) -> None:
        config = config or FeaturesConfig()
        self.source, self.camera, self.encoders = source, camera, encoders
        self._readers = config.readers
        self.episodes = range(len(source.episodes)) if episodes is None else sorted(set(episodes))
        self.offsets = np.concatenate([[0], np.cumsum(source.lengths, dtype=np.int64)])
        self.views = Views(config.views, config.view_shift, config.view_colour)
        self.image_size = source.image_size(camera)
        self.shape = encoders.feature_shape(camera, self.image_size)
        self.store = FeatureStore(encoders.encoder(camera).spec, self.shape, config.dtype, config.root)
        self.rows: Int[np.ndarray, "n k"] = np.full((self.offsets[-1], self.views.count), -1, np.int64)
        self._keys = {
            episode: identity_key(
                source.episode_identity(source.episodes[episode], camera), camera, self.views
            )
            for episode in self.episodes
        }
        self.look_up()

    @property
    def missing(self) -> list[int]:
        """The episodes whose frames must be read, to encode those that are not stored."""
        first = self.offsets[:-1]
        return [episode for episode in self.episodes if (self.rows[first[episode]] < 0).any()]

    def look_up(self) -> None:
        """Find the rows of the episodes that the store knows now."""
        # episodes before rows: the rows of an episode are there before it is known
        known = known_episodes(self.store.segment_folders(), self._keys.values())
        self.snapshot = self.store.snapshot()
        sizes = {episode: self.rows_of(episode).size for episode in self.episodes}
        found = {e: known[k] for e, k in self._keys.items() if k in known and known[k].size == sizes[e]}
        rows = self.snapshot.find(np.concatenate([np.empty(0, HASH), *found.values()]))
        start = 0
        for episode in found:
            own = rows[start : start + sizes[episode]]
            self.rows_of(episode)[:] = own.reshape(-1, self.views.count)
            start += len(own)

    def key_of(self, episode: int) -> bytes:
        """The key under which a store knows this episode."""
        return self._keys[episode]

    def read_ahead(self) -> Iterator[Frames]:
        """The frames of all missing episodes, read while others are used."""
        readers = self._readers
        if readers is None:
            on_gpu = self.encoders.base.backend.device.type == "cuda"
            readers = count_of_readers(self.source, self.camera, self.missing, on_gpu)
        return read_ahead(self.source, self.camera, self.missing, readers)

    def rows_of(self, episode: int) -> Int[np.ndarray, "t k"]:
        """The part of `rows` that is of one episode, not a copy."""
        return self.rows[self.offsets[episode] : self.offsets[episode + 1]]

    def encode(self, pixels: UInt8[np.ndarray, "b h w 3"] | UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b d"]:
        """The rows of frames as they are stored, on the encoder's device."""
        return self.store.row.join(self.encoders.encode(self.camera, pixels)).to(self.store.dtype)

    def table(self) -> FeatureTable:
        """All features of `episodes`, mapped from the disk; UserError if some are not stored."""
        if missing := self.missing:
            episodes = number_of(len(self.episodes), "episode")
            raise UserError(
                f"features of {self.camera} in {self.source.path} are not stored with these settings: run "
                f"`s2robot features {self.source.path}` with them first (missing: {len(missing)} of "
                f"{episodes}, the first is {self.source.episodes[missing[0]]})"
            )
        rows = torch.from_numpy(self.rows)
        return FeatureTable(self.store.rows(self.snapshot), self.store.row, rows, self.source.lengths)
