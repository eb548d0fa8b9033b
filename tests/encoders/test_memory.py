"""Batches of one shape, and of as many tiles as memory allows."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from s2robot.encoders.backends import graph
from s2robot.encoders.backends.base import equal_parts
from s2robot.encoders.backends.eager import MOST_TILES, TorchBackend, tiles_within
from s2robot.errors import UserError
from s2robot.types import Features
from tests.encoders.tiny_pretrained import tiny_s2

FRAMES = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), np.uint8)


class Small(TorchBackend):
    """Has memory for so many tiles at once, and notes how many it was given, and when it was to forget."""

    memory = 8
    forgot = 0

    def forget(self) -> None:
        self.forgot += 1

    def map(self, batches: Iterable[Tensor]) -> list[Features]:
        found = []
        for tiles in batches:
            self.seen = [*getattr(self, "seen", []), len(tiles)]
            if len(tiles) > self.memory:
                raise torch.OutOfMemoryError("CUDA out of memory")
            found.append(self._run(tiles))
        return found


def encoder_with(memory: int, **options: Any) -> tuple[Any, Small]:
    encoder = tiny_s2((32, 64), backend="torch", **options)  # 1 + 4 tiles
    own: Any = encoder.backend
    own.__class__, own.memory = Small, memory
    return encoder, own


@pytest.mark.parametrize(
    ("count", "most", "size"), [(64, 51, 32), (64, 64, 64), (5, 6, 5), (7, 3, 3), (100, 51, 50), (1, 4, 1)]
)
def test_parts_have_one_size(count: int, most: int, size: int) -> None:
    assert equal_parts(count, most) == size


def test_a_batch_is_cut_into_groups_of_one_shape() -> None:
    encoder, backend = encoder_with(memory=1000, max_tiles=24)  # 4 frames of 5 tiles
    encoder.encode(FRAMES[:6])
    assert backend.seen == [15, 15]


def test_out_of_memory_halves_the_tiles_until_they_fit(caplog: pytest.LogCaptureFixture) -> None:
    expected = tiny_s2((32, 64), backend="torch").encode(FRAMES)
    encoder, backend = encoder_with(memory=8, max_tiles=32)
    features = encoder.encode(FRAMES)
    assert backend.max_tiles == 8 and backend.seen[:2] == [20, 15] and set(backend.seen[2:]) == {5}
    assert backend.forgot == 2  # what was recorded for 32 and 16 tiles takes memory, and is of no use now
    torch.testing.assert_close(features.map, expected.map, rtol=1e-4, atol=1e-5)
    assert [line for line in caplog.messages if "8 tiles at once" in line]
    backend.seen = []
    encoder.encode(FRAMES)
    assert set(backend.seen) == {5}  # what was learnt is kept


def test_no_memory_at_all_is_one_line() -> None:
    encoder, _ = encoder_with(memory=0, max_tiles=4)
    with pytest.raises(UserError, match="too little free memory for one tile of encoder") as raised:
        encoder.encode(FRAMES)
    assert "\n" not in str(raised.value)


def test_tiles_follow_from_free_memory() -> None:
    assert tiles_within(80 * 2**30, 20 * 2**20) == MOST_TILES == 256
    assert tiles_within(4 * 2**30, 20 * 2**20) == 64  # 102 take half of it
    assert tiles_within(2**20, 20 * 2**20) == 1


class Replayed:
    """Calls the function as a graph's replay does: it sees no argument."""

    def __init__(self, function: Any, device: torch.device) -> None:
        self.function, self.calls = function, 0

    def __call__(self) -> None:
        self.calls += 1
        self.function()


def test_what_is_replayed_reads_and_gives_tensors_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "Graph", Replayed)
    given = torch.arange(3.0)
    recorded = graph.Recorded(lambda tiles: (tiles * 2, tiles + 1), given)
    first = recorded(given)
    second = recorded(given + 10)
    assert torch.equal(first[0], given * 2) and torch.equal(second[1], given + 11)
    assert torch.equal(given, torch.arange(3.0))


def test_a_graph_needs_a_gpu() -> None:
    with pytest.raises(UserError, match="backend 'graph' needs a CUDA GPU, and device is 'cpu'"):
        tiny_s2((32, 64), backend="graph")
