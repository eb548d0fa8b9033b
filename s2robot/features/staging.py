"""The way of frames to the encoder's device and of features back, beside what it computes meanwhile.

On a CPU both are there already, and nothing is copied.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


class Staging:
    """Two batches of frames: one is filled while the other is on its way to a GPU."""

    def __init__(self, frames: int, image_size: tuple[int, int], device: torch.device) -> None:
        self._gpu = device if device.type == "cuda" else None
        size = (frames, *image_size, 3)
        pinned = self._gpu is not None
        self._batches = [torch.zeros(size, dtype=torch.uint8, pin_memory=pinned) for _ in range(1 + pinned)]
        self._at = 0
        if self._gpu:
            self._out, self._back = torch.cuda.Stream(device), torch.cuda.Stream(device)
            self._copied = [torch.cuda.Event(), torch.cuda.Event()]

    @property
    def pixels(self) -> UInt8[np.ndarray, "b h w 3"]:
        """The batch to fill now."""
        return self._batches[self._at].numpy()

    def send(self, count: int) -> UInt8[np.ndarray, "n h w 3"] | UInt8[Tensor, "n h w 3"]:
        """The first `count` frames of the batch, on the device; `pixels` is then the other one."""
        if self._gpu is None:
            return self.pixels[:count]
        with torch.cuda.stream(self._out):
            frames = self._batches[self._at][:count].to(self._gpu, non_blocking=True)
            self._copied[self._at].record(self._out)
        computing = torch.cuda.current_stream(self._gpu)
        computing.wait_stream(self._out)
        frames.record_stream(computing)
        self._at = 1 - self._at
        self._copied[self._at].synchronize()  # what is filled next must have left
        return frames

    def done(self) -> "torch.cuda.Event | None":
        """To be asked for behind a batch's work, for `fetch`."""
        return torch.cuda.current_stream(self._gpu).record_event() if self._gpu else None

    def fetch(self, rows: Float[Tensor, "n d"], done: "torch.cuda.Event | None") -> Float[Tensor, "n d"]:
        """Rows in RAM; waits for their batch and their copy alone. May be called by another thread."""
        if self._gpu is None or done is None:
            return rows
        with torch.cuda.stream(self._back):
            self._back.wait_event(done)
            out = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
            out.copy_(rows, non_blocking=True)
            rows.record_stream(self._back)
            self._back.synchronize()
        return out
