"""The batch of a rollout is the same on every machine; the workers are not."""

import os

import pytest

from s2robot.rollouts.sizes import GPU_BATCH, default_batch, default_workers


@pytest.mark.parametrize("cores", [1, 2, 16, 100])
def test_the_batch_does_not_depend_on_the_cores(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(cores))

    assert default_batch("cpu") == 1
    assert default_batch("cuda") == GPU_BATCH
    assert default_workers() == min(32, cores + 1)
    assert default_workers(GPU_BATCH) == max(16, min(32, cores + 1))
