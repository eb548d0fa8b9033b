"""Batches that threads gather ahead for a GPU, without one: the same ones, in order, and in time."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from s2robot.policies import POLICIES
from s2robot.training import batches as module
from s2robot.training.batches import batches, gathered_on
from s2robot.types import Batch
from tests.training.step_cases import made_windows

CPU = torch.device("cpu")


class Noted:
    """`Copies` that moves nothing and notes what arrived."""

    def __init__(self) -> None:
        self.arrived: list[int] = []

    def move(self, batch: Batch) -> tuple[Batch, Callable[[], None]]:
        return batch, lambda: self.arrived.append(int(batch.windows[0]))


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_threads_gather_the_batches_of_the_cpu_loop(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    windows = made_windows(POLICIES["bc"].options(obs_steps=2))
    steps = range(3, 40)
    expected = list(batches(windows, 8, 0, steps, CPU))
    copies: Any = Noted()
    found = list(module._gathered_ahead(windows, 8, 0, steps, copies))
    assert len(found) == len(expected) == len(steps)
    for (batch, _), wanted in zip(found, expected, strict=True):
        assert torch.equal(batch.windows, wanted.windows)
        for values, right in zip(batch.tensors(), wanted.tensors(), strict=True):
            assert torch.equal(values, right)


def test_a_failure_of_a_thread_is_raised_where_its_batch_is_taken() -> None:
    windows = made_windows(POLICIES["bc"].options(obs_steps=2))

    class Failing(Noted):
        def move(self, batch: Batch) -> tuple[Batch, Callable[[], None]]:
            raise MemoryError("page-locked memory")

    copies: Any = Failing()
    with pytest.raises(MemoryError, match="page-locked"):
        next(module._gathered_ahead(windows, 8, 0, range(9), copies))


def test_batches_are_put_together_where_all_features_are() -> None:
    tables: Any = made_windows(POLICIES["bc"].options(obs_steps=2)).features
    assert gathered_on(tables.values(), CPU) == CPU
    assert gathered_on(tables.values(), torch.device("cuda")) == CPU
    meta = torch.device("meta")
    assert gathered_on([table.to(meta) for table in tables.values()], meta) == meta
