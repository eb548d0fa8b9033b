"""A real Ray cluster of two nodes, for all tests here."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from s2robot.processes.starting import safe_children
from tests.training.tiny_training import feature_cache, trained

__all__ = ["cluster", "feature_cache", "trained"]

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 2**27, "include_dashboard": False}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch, safe_children():
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        started = Cluster(initialize_head=True, head_node_args=NODE)
        started.add_node(**NODE)
        ray.init(started.address, logging_level=logging.ERROR)
        yield started
        ray.shutdown()
        started.shutdown()
