"""The way to a Ray cluster, and a local one where none is named. Ray is imported when it is first used."""

import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from packaging.version import Version

from s2robot.errors import UserError
from s2robot.processes.starting import safe_children

OLDEST = "2.50"
MISSING = "Ray is not installed: pip install 's2robot[ray]'"
SLOW = "timed out during startup"  # in Ray's message
ANSWER_S = 10.0  # for a first word; Ray itself tries for minutes
STORE_BYTES = 2 * 2**27  # of a local cluster's object store: what travels are names and results, no frames


def check_installed() -> None:
    """Raise `UserError` where Ray is missing."""
    if importlib.util.find_spec("ray") is None:
        raise UserError(MISSING)


@contextmanager
def connected(address: str | None = None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster; what was connected before is used and left as it is.

    `address` is `auto` (the cluster of this machine) or `ray://HOST:PORT`; for None `RAY_ADDRESS` counts, and
    without it a cluster of this machine alone is started, which ends with the block. Raises `UserError` for
    a cluster that cannot be reached and for one with another version of Ray or Python.
    """
    check_installed()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # jobs that say the same are no repetition
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # no GPU asked for: none is hidden
    import ray

    if Version(ray.__version__) < Version(OLDEST):
        raise UserError(f"Ray {ray.__version__} is installed, {OLDEST} or later is needed")
    if ray.is_initialized():
        yield ray
        return
    _start(ray, address or os.environ.get("RAY_ADDRESS"))
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, address: str | None) -> None:
    quiet = {"logging_level": logging.ERROR, "log_to_driver": True}
    if address is None:
        try:
            with safe_children():
                ray.init("local", include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
        except Exception as error:  # Ray has no class of its own for it
            if SLOW not in str(error):
                raise
            raise UserError(
                "Ray did not start within its 30 s: try again when this machine is less busy"
            ) from error
        found = ray.cluster_resources()
        told = f"{found.get('CPU', 0):g} CPUs and {found.get('GPU', 0):g} GPUs"
        print(f"no Ray cluster is named: a local one is started, with {told}", file=sys.stderr)
        return
    _check_answer(address)
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        what = " ".join(str(error).split())
        raise UserError(f"cannot use the Ray cluster at {address!r}: {what[:400]}") from error


def _check_answer(address: str) -> None:
    """Raise `UserError` where an address HOST:PORT does not answer."""
    host, _, port = address.rpartition(":")
    if "/" in host or not (host and port.isdecimal()):
        return  # auto, ray://HOST:PORT: Ray says at once what is wrong with them
    try:
        socket.create_connection((host, int(port)), ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot use the Ray cluster at {address!r}: {error}; is one started there (`ray start --head`)?"
        ) from error
