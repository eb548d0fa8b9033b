"""Windows hold the right frames and actions, at the ends of episodes too, in an order that needs no state."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2robot.datasets.windows import Windows
from s2robot.training.batches import batches, windows_of_step
from s2robot.types import Features


class FrameNumbers:
    """A feature table whose feature is the number of the frame, and 100 more for each view.

    The one prefix token is that times -1.
    """

    def __init__(self, views: int = 1) -> None:
        self.views = views

    def gather(self, frames: Tensor, views: Tensor | None = None) -> Features:
        shift = 0 if views is None else 100 * views[:, None]
        numbers = (frames + shift).float()
        return Features(numbers[..., None, None, None], -numbers[..., None, None])

    def read_ahead(self, frames: Tensor, views: Tensor | None = None) -> None:
        """Nothing is on a disk."""


class Numbered:
    """Two episodes of four and five frames; the action of frame i is i."""

    offsets = np.array([0, 4, 9])

    def proprioception(self) -> dict[str, np.ndarray]:
        return {"eef": 10 * self.actions()}

    def actions(self) -> np.ndarray:
        return np.arange(9, dtype=np.float32)[:, None]

    def executed_actions(self) -> np.ndarray:
        return -self.actions()


@dataclass
class Options:
    obs_steps: int = 2
    horizon: int = 3
    obs_stride: int = 1
    reads_prefix: bool = False
    reads_executed: bool = False
    foreseen: tuple[int, ...] = ()


def make_windows(episodes: list[int], stride: int = 1, prefix: bool = False, views: int = 1) -> Windows:
    options = Options(obs_stride=stride, reads_prefix=prefix)
    return Windows(Numbered(), {"a": FrameNumbers(views)}, options, episodes)


def test_first_and_last_window_of_an_episode() -> None:
    windows = make_windows([1])
    batch = windows.batch(torch.tensor([0, 4]))
    assert batch.obs.features["a"].map.flatten(1).tolist() == [[4, 4], [7, 8]]
    assert batch.obs.proprio["eef"].flatten(1).tolist() == [[40, 40], [70, 80]]
    assert batch.actions.flatten(1).tolist() == [[4, 5, 6], [8, 8, 8]]
    assert batch.mask.tolist() == [[True, True, True], [True, False, False]]


def test_prefix_tokens_are_in_the_batch_if_the_policy_reads_them() -> None:
    assert make_windows([1]).batch(torch.tensor([0])).obs.features["a"].prefix is None
    batch = make_windows([1], prefix=True).batch(torch.tensor([0, 4]))
    prefix = batch.obs.features["a"].prefix
    assert prefix is not None
    assert torch.equal(prefix, torch.tensor([[-4.0, -4], [-7, -8]])[..., None, None])


def test_observations_are_a_stride_apart_with_the_actions_between_them() -> None:
    batch = make_windows([1], stride=2).batch(torch.tensor([0, 3, 4]))
    assert batch.obs.proprio["eef"].flatten(1).tolist() == [[40, 40], [50, 70], [60, 80]]
    assert batch.past_actions.flatten(1).tolist() == [[0, 0, 0, 0], [0, 4, 5, 6], [4, 5, 6, 7]]
    assert batch.past_mask.tolist() == [[False] * 4, [False, True, True, True], [True] * 4]


def test_what_was_executed_is_in_the_batch_of_a_policy_that_reads_it() -> None:
    """Labels stay the expert's; a policy that does not read it costs no gather."""
    options, windows = Options(obs_stride=2, reads_executed=True), torch.tensor([0, 3, 4])
    batch = Windows(Numbered(), {}, options, [1]).batch(windows)
    assert batch.past_actions.flatten(1).tolist() == [[0, 0, 0, 0], [0, 4, 5, 6], [4, 5, 6, 7]]
    assert torch.equal(batch.executed, -batch.past_actions)
    without = Windows(Numbered(), {}, Options(obs_stride=2), [1]).batch(windows)
    assert without.executed is without.past_actions


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
        assert torch.equal(batch.obs.features["a"].map, expected.obs.features["a"].map)


def test_a_view_for_each_sample_is_decided_by_seed_and_step() -> None:
    windows = make_windows([0, 1], views=3)
    device = torch.device("cpu")

    def views(steps: range, seed: int = 0) -> list[list[int]]:
        """Of each batch's samples; the same in all steps of a sample."""
        seen = [
            batch.obs.features["a"].map.flatten(1) // 100
            for batch in batches(windows, 8, seed, steps, device)
        ]
        assert all((view == view[:, :1]).all() for view in seen)
        return [view[:, 0].int().tolist() for view in seen]

    every = views(range(12))
    assert {view for batch in every for view in batch} == {0, 1, 2}
    assert views(range(5, 12)) == every[5:]  # resumed
    assert views(range(12), seed=1) != every and every[0] != every[1]
    assert windows.batch(torch.arange(9)).obs.features["a"].map.max() < 100  # validation


def test_proprioception_is_foreseen_up_to_the_end_of_the_episode() -> None:
    windows = Windows(Numbered(), {"a": FrameNumbers()}, Options(foreseen=(2, -1)), [0, 1])

    batch = windows.batch(torch.tensor([0, 3, 4]))  # frames 0, 3 and 4, of episodes that end with 3 and 8

    assert (batch.future["eef"][..., 0] / 10).tolist() == [[2, 3], [3, 3], [6, 8]]
    assert not make_windows([0]).batch(torch.tensor([0])).future
