"""The features of a dataset's frames, gathered by frame number from the memory that they are in."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s2robot.features.mapped import MappedRows
from s2robot.features.row import Row
from s2robot.types import Features

STATISTICS_FRAMES = 4096  # enough for a channel's mean and deviation, and seconds at any size
CHUNK_ROWS = 256


class FeatureTable:
    """Frames are numbered through all episodes of a dataset, in its order.

    Equal frames share their rows. View 0 of a frame is the frame itself. The row -1 marks frames whose
    features were not built because their episode was not wanted; gathering one raises IndexError.
    `shape` is (c, gh, gw) of a map, `offsets` the first frame of each episode and, last, their number.
    Features are read from the disk through the page cache; `to` moves them into RAM or onto a GPU.
    """

    def __init__(
        self,
        data: MappedRows | Float[Tensor, "r d"],
        row: Row,
        rows: Int[Tensor, "n"] | Int[Tensor, "n k"],  # of `data`, of each frame or each of its views
        lengths: Sequence[int],
    ) -> None:
        self._data = data
        # Whether what is gathered lies in page-locked memory, of which PyTorch keeps a few batches for the
        # next ones: copies from it to a GPU wait for nothing, and the table itself need not be page-locked.
        self.page_locked = False
        self._row, self._rows = row, rows.view(len(rows), -1)
        self.offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._row.map

    @property
    def dtype(self) -> torch.dtype:
        return self._data.dtype

    @property
    def device(self) -> torch.device:
        return torch.device("cpu") if isinstance(self._data, MappedRows) else self._data.device

    @property
    def rows(self) -> Int[Tensor, "n k"]:
        """Row of the store of each view of each frame."""
        return self._rows

    @property
    def frames(self) -> Int[np.ndarray, "m"]:
        """The frames that have features, in order."""
        return np.flatnonzero(self._rows[:, 0].cpu().numpy() >= 0)

    def used_rows(self) -> Int[Tensor, "u"]:
        """The rows of the store that hold this dataset's features, each once, in order."""
        used = self._rows.unique()
        return used[used >= 0]

    @property
    def views(self) -> int:
        """Views of each frame."""
        return self._rows.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of this dataset's features."""
        return len(self.used_rows()) * self._row.numbers * self.dtype.itemsize

    def gather(self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None = None) -> Features:
        """A copy of these frames' features, "b to c gh gw" and "b to p c", on its device and in its dtype.

        `views` is the view of each sample's frames, 0 unless given. Raises IndexError for frames without
        features (on a GPU, PyTorch's own error, so that nothing waits for the check). Raises UserError
        for rows that are damaged.
        """
        rows = self._rows_of_views(frames, views)
        return self._row.split(_rows_of(self._data, rows, self.page_locked))

    def read_ahead(self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None = None) -> None:
        """Let the kernel read these frames' features from the disk; in memory it does nothing."""
        if isinstance(self._data, MappedRows):
            self._data.read_ahead(self._rows_of_views(frames, views).flatten().numpy())

    def to(self, device: str | torch.device) -> "FeatureTable":
        """A table with only this dataset's rows, in the memory of `device` ("cpu" is RAM, not the disk)."""
        used = self.used_rows()
        rows = torch.where(self._rows < 0, -1, torch.searchsorted(used, self._rows))
        size = (len(used), self._row.numbers)
        data = torch.empty(size, dtype=self.dtype, device=device)
        for at, part in zip(data.split(CHUNK_ROWS), used.split(CHUNK_ROWS), strict=True):
            at.copy_(_rows_of(self._data, part))
        lengths = np.diff(self.offsets).tolist()
        return FeatureTable(data, self._row, rows.to(device), lengths)

    def channel_stats(self, frames: Int[np.ndarray, "m"]) -> tuple[Float[Tensor, "c"], Float[Tensor, "c"]]:
        """Mean and standard deviation of each channel of the map over all cells of these frames.

        `frames` are those of the training episodes: validation must not decide what the policy is fed.
        Of more than 4096, 4096 that are evenly spread are taken.
        """
        chosen = torch.from_numpy(frames)
        if len(frames) > STATISTICS_FRAMES:
            chosen = chosen[torch.linspace(0, len(frames) - 1, STATISTICS_FRAMES).long()]
        total, squares = torch.zeros(2, self.shape[0], dtype=torch.float64, device=self.device)
        for part in chosen.split(CHUNK_ROWS):
            maps = self.gather(part[:, None]).map.flatten(0, 1).float()  # n c gh gw
            total += maps.sum((0, 2, 3)).double()
            squares += maps.square().sum((0, 2, 3)).double()
        cells = len(chosen) * self.shape[1] * self.shape[2]
        mean = total / cells
        deviation = (squares / cells - mean.square()).clamp(min=0).sqrt()
        return mean.float().cpu(), deviation.float().cpu()

    def _rows_of_views(
        self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None
    ) -> Int[Tensor, "b to"]:
        device = self._rows.device
        if device.type == "cpu":  # of a few hundred numbers NumPy's indexing takes a quarter of the time
            rows, wanted = self._rows.numpy(), frames.cpu().numpy()
            chosen = rows[:, 0].take(wanted) if views is None else rows[wanted, views.cpu().numpy()[:, None]]
            if chosen.size and chosen.min() < 0:
                frame = int(wanted[chosen < 0][0])
                raise IndexError(
                    f"frame {frame} has no features: its episode was left out when they were built"
                )
            return torch.from_numpy(chosen)
        return self._rows[frames.to(device), 0 if views is None else views.to(device)[:, None]]


def _rows_of(
    data: MappedRows | Float[Tensor, "r d"], rows: Int[Tensor, "*b"], page_locked: bool = False
) -> Float[Tensor, "*b d"]:
    if isinstance(data, Tensor) and data.device.type != "cpu":
        return data.index_select(0, rows.flatten()).unflatten(0, rows.shape)
    numbers = data.numbers if isinstance(data, MappedRows) else data.shape[1]
    out = torch.empty((rows.numel(), numbers), dtype=data.dtype, pin_memory=page_locked)
    if isinstance(data, MappedRows):
        data.take(rows.flatten().numpy(), out.numpy())
    else:
        # NumPy copies row by row in this thread; PyTorch's threads would compete with the training for the
        # cores. "raise" would copy twice.
        np.take(data.numpy(), rows.flatten().numpy(), axis=0, out=out.numpy(), mode="clip")
    return out.unflatten(0, rows.shape)
