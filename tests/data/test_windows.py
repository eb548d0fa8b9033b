"""Windows hold the right frames and actions, at the ends of episodes too, in an order that needs no state."""

import numpy as np
import torch
from torch import Tensor

from s2robot.data.loader import batches, windows_of_step
from s2robot.data.windows import Windows


class FrameNumbers:
    """A feature table whose feature is the number of the frame."""

    def gather(self, frames: Tensor) -> Tensor:
        return frames[..., None, None, None].float()

    def read_ahead(self, frames: Tensor) -> None:
        """Nothing is on a disk."""


def make_windows(episodes: list[int], obs_steps: int = 2, horizon: int = 3, stride: int = 1) -> Windows:
    """Two episodes of four and five frames; the action of frame i is i."""
    actions = np.arange(9, dtype=np.float32)[:, None]
    proprio = {"eef": 10 * actions}
    return Windows(
        {"a_image": FrameNumbers()},
        proprio,
        actions,
        np.array([0, 4, 9]),
        episodes,
        obs_steps,
        horizon,
        obs_stride=stride,
    )


def test_first_and_last_window_of_an_episode() -> None:
    windows = make_windows([1])
    batch = windows.batch(torch.tensor([0, 4]))
    assert batch.obs["a_image"].flatten(1).tolist() == [[4, 4], [7, 8]]
    assert batch.obs["eef"].flatten(1).tolist() == [[40, 40], [70, 80]]
    assert batch.actions.flatten(1).tolist() == [[4, 5, 6], [8, 8, 8]]
    assert batch.mask.tolist() == [[True, True, True], [True, False, False]]


def test_observations_are_a_stride_apart_with_the_actions_between_them() -> None:
    batch = make_windows([1], stride=2).batch(torch.tensor([0, 3, 4]))
    assert batch.obs["eef"].flatten(1).tolist() == [[40, 40], [50, 70], [60, 80]]
    assert batch.past_actions.flatten(1).tolist() == [[0, 0, 0, 0], [0, 4, 5, 6], [4, 5, 6, 7]]
    assert batch.past_mask.tolist() == [[False] * 4, [False, True, True, True], [True] * 4]


def test_every_frame_of_the_episodes_is_now_once() -> None:
    assert [make_windows([0, 1]).frame(w) for w in range(9)] == list(range(9))
    assert [make_windows([1]).frame(w) for w in range(5)] == [4, 5, 6, 7, 8]
    assert len(make_windows([])) == 0


def test_batches_pass_through_all_windows_before_any_comes_again() -> None:
    seen = torch.cat([windows_of_step(9, 4, seed=3, step=k) for k in range(9)])  # four epochs
    for epoch in seen.split(9):
        assert sorted(epoch.tolist()) == list(range(9))
    assert not torch.equal(seen[:9], seen[9:18])
    assert not torch.equal(windows_of_step(9, 4, seed=4, step=0), seen[:4])


def test_gathering_ahead_changes_nothing() -> None:
    windows = make_windows([0, 1])
    ahead = list(batches(windows, 4, seed=0, steps=range(2, 5), device=torch.device("cpu")))
    assert len(ahead) == 3
    for step, batch in zip(range(2, 5), ahead, strict=True):
        expected = windows.batch(windows_of_step(9, 4, 0, step))
        assert torch.equal(batch.actions, expected.actions)
        assert torch.equal(batch.obs["a_image"], expected.obs["a_image"])
