"""How processes end: SIGTERM lets scratch files be deleted, and no child outlives its parent."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

PARENT = "S2ROBOT_PARENT"  # environment variable of a child: the process that started it
WATCH_EVERY_S = 0.5
GRACE_S = 2.0  # for a child that notices the end by itself, and deletes what it was writing


class Terminated(SystemExit):
    """SIGTERM or SIGHUP: whatever is open is closed, and the process ends with the usual status."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


@contextmanager
def terminating() -> Iterator[None]:
    """SIGTERM and SIGHUP raise `Terminated` inside, once; where signals can be handled (the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        for one in previous:
            signal.signal(one, signal.SIG_IGN)  # the second one would interrupt what the first one closes
        raise Terminated(number)

    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) == signal.SIG_DFL]
    previous = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Called by a child: it ends soon after the process that started it, however that one ended."""
    parent = int(os.environ.pop(PARENT, "0"))
    if parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def leave_signals_to_parent() -> None:
    """Called by a child: signals to the whole group are handled by its parent, which ends it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()


def _watch(parent: int) -> None:
    while _lives(parent):
        time.sleep(WATCH_EVERY_S)
    time.sleep(GRACE_S)
    os._exit(1)


def _lives(process: int) -> bool:
    """Not only `os.getppid`: what stands between, a shell or Ray, may live longer than the parent."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
