"""What policies that remember have in common: every observation of a training window is a decision to learn.

A window of `to` observations, `stride` environment steps apart, holds the actions between them. So the
chunk that followed each of them is known, not only that of the last, and one window teaches `to` chunks.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s2robot.types import Batch, Observation

READ_ONCE = ("cpu",)  # devices on which nothing waits to learn how many rows there are


def chunks(batch: Batch, stride: int) -> tuple[Float[Tensor, "b to ta da"], Bool[Tensor, "b to ta"]]:
    """The actions from each observation on, and which of them are in the episode.

    Nothing is learned at observations that only repeat the first one of an episode.
    """
    actions = torch.cat([batch.past_actions[:, stride:], batch.actions], dim=1)  # b t da
    mask = torch.cat([batch.past_mask[:, stride:], batch.mask], dim=1)  # b t
    horizon = batch.actions.shape[1]
    each = actions.unfold(1, horizon, stride).transpose(2, 3)  # b to ta da
    inside = mask.unfold(1, horizon, stride)  # b to ta
    return each, inside & inside[..., :1]


def without_repeats(batch: Batch, stride: int) -> tuple[Int[Tensor, "b to"], Bool[Tensor, "b to"]]:
    """Which observation to put at each place so that a row begins with the first one that is no repeat.

    The second is False at the places behind the last observation, which are filled with it.
    """
    real = _real(batch, stride)  # b to
    to = real.shape[1]
    order = torch.arange(to, device=real.device) + (~real).sum(1, keepdim=True)
    return order.clamp(max=to - 1), order < to


def read_once(
    read: Callable[[Observation], Float[Tensor, "n ..."]], batch: Batch, stride: int
) -> Float[Tensor, "b to ..."]:
    """What `read` makes of each observation of the windows; on a CPU the repeats of a row are read once.

    Windows are often longer than the episode was by then: with 16 decisions of 4 steps two thirds of
    PickCube's observations are repeats. A GPU would have to wait for their number.
    """
    real = _real(batch, stride)
    flat = batch.obs.map(lambda values: values.flatten(0, 1)[:, None])  # (b to) 1 ...
    if real.device.type not in READ_ONCE:
        return read(flat).unflatten(0, real.shape)
    last = real.roll(-1, dims=1) & ~real  # of a row's repeats, the one that is read
    rows = (real | last).flatten()
    place = (rows.cumsum(0) - rows.int()).view_as(real)  # the others stand for the next that is
    return read(flat.map(lambda values: values[rows]))[place]


def _real(batch: Batch, stride: int) -> Bool[Tensor, "b to"]:
    """False where an observation repeats the first one of its episode, before which it would be."""
    before = batch.past_mask[:, stride::stride]  # b to-1
    return torch.cat([before, before.new_ones(len(before), 1)], dim=1)
