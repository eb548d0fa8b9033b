"""Whether the display that the environment variables name answers. A stale DISPLAY is common on servers."""

import os
import socket
from pathlib import Path

X11_SOCKET = "/tmp/.X11-unix/X{}"
X11_PORT = 6000  # of display 0
TIMEOUT_S = 2.0  # for the X server of another machine


def display_answers() -> bool:
    """Whether a program started here could open a window."""
    return _x11_answers(os.environ.get("DISPLAY", "")) or _wayland_answers()


def _x11_answers(display: str) -> bool:
    """`display` is [HOST]:NUMBER[.SCREEN]; one that is not answers nothing."""
    host, _, number = display.rpartition(":")
    number = number.partition(".")[0]
    if not number.isdecimal():
        return False
    if host not in ("", "unix"):
        try:
            socket.create_connection((host, X11_PORT + int(number)), TIMEOUT_S).close()
        except (OSError, OverflowError):
            return False
        return True
    path = X11_SOCKET.format(number)
    return _connects(path) or _connects(f"\0{path}")  # Linux knows the same name without a file, too


def _wayland_answers() -> bool:
    name, folder = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("XDG_RUNTIME_DIR", "")
    return bool(name) and _connects(str(Path(folder) / str(name)))


def _connects(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(address)
        except OSError:
            return False
    return True
