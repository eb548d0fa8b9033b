"""This side of a simulator process: start it, talk to it, see its observations, end it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import Any

import numpy as np

from s2robot.processes.starting import child_environment
from s2robot.rollouts.messages import Ready, Setup, map_observations

# Workers share the cores by being many: each one's libraries (OpenBLAS, OpenMP, Mesa's llvmpipe) stay
# single-threaded.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}
END_TIMEOUT_S = 5.0  # for a worker to close its environment after the connection was closed


@dataclass(frozen=True)
class Died:
    """Stands for the answer that a worker will not give."""

    reason: str


class Worker:
    """A simulator process and the answer it owes.

    `busy` between a request and its answer, which is due at `deadline` (of `time.monotonic`).
    """

    def __init__(self, setup: Setup, timeout_s: float) -> None:
        self.connection, theirs = Pipe()
        self._memory_fd = os.memfd_create("s2robot-observations")  # vanishes with its last user
        fds = theirs.fileno(), self._memory_fd
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from s2robot.rollouts.simulator import serve; serve{fds}"],
            pass_fds=fds,
            env={**child_environment(), **THREADS},
            process_group=0,  # Ctrl-C is ours to handle, and `kill` takes a video's ffmpeg along
        )
        theirs.close()  # or its end would go unnoticed
        self.observations: dict[str, np.ndarray] = {}
        self.action_shape: tuple[int, ...] = ()
        self.send(setup, timeout_s)

    def connect(self, ready: Ready) -> None:
        """Map the observations ("to ..." a key) that the simulator will write."""
        self.observations = map_observations(ready.layout, self._memory_fd)
        self.action_shape = ready.action_shape

    def send(self, request: Any, timeout_s: float) -> None:
        self.busy, self.allowed_s, self.deadline = True, timeout_s, time.monotonic() + timeout_s
        with contextlib.suppress(ConnectionError):  # a dead worker shows in `receive`
            self.connection.send(request)

    def receive(self) -> Any:
        """The answer, once `connection` is readable; `Died` if the process ended instead."""
        self.busy = False
        try:
            return self.connection.recv()
        except (EOFError, ConnectionError):
            self.kill()
            code = self.process.returncode
            return Died(f"died with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}")

    def hang_up(self) -> None:
        """Tell the process that nothing more will come."""
        self.connection.close()

    def close(self) -> None:
        """Wait until the process has closed its environment and ended, or end it."""
        self.hang_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End the process and its children at once; does nothing the second time."""
        self.hang_up()
        if self.process.returncode is None:  # not reaped, so the group's number is still ours
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.observations = {}  # unmaps them
        if self._memory_fd >= 0:
            os.close(self._memory_fd)
            self._memory_fd = -1
