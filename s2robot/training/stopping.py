"""Stopping a training from outside: SIGTERM (a cluster) and SIGINT (Ctrl-C) let it save first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether the training was asked to stop, and by which signal (SIGTERM where another process was)."""

    def __init__(self) -> None:
        self.requested = False
        self.signal = signal.SIGTERM

    def request(self, number: int, frame: FrameType | None) -> None:
        self.requested, self.signal = True, signal.Signals(number)
        if number == signal.SIGINT:  # a second Ctrl-C does not wait for the step
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def stop_requested() -> Iterator[Stop]:
    """Listens to the signals inside, where they can be handled (the main thread)."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.signal(number, stop.request) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
