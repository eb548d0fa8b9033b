"""One way to show how far a long stage is: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
LOG_INTERVAL_S = 10.0


def progress(
    items: Iterable[T],
    total: int | None = None,
    description: str = "",
    status: Callable[[], str] | None = None,
    size: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """Yield `items` and show count, rate and time left on stderr.

    `total` is taken from `len(items)` when it has one. On a terminal this is tqdm's bar; elsewhere a
    plain line at most every 10 s, and one at the end. `status` tells what is to be shown besides, `size` how
    much an item counts.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        with tqdm(total=total, desc=description, dynamic_ncols=True) as bar:
            for item in items:
                yield item
                bar.update(size(item))
                if status is not None:
                    bar.set_postfix_str(status(), refresh=False)
    else:
        yield from _logged(items, total, description, status or str, size)


def _logged(
    items: Iterable[T],
    total: int | None,
    description: str,
    status: Callable[[], str],
    size: Callable[[T], int],
) -> Iterator[T]:
    start = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += size(item)
        now = time.monotonic()
        if now - last >= LOG_INTERVAL_S and done != total:
            last = now
            _print(description, done, total, now - start, status())
    _print(description, done, total, time.monotonic() - start, status())


def _print(description: str, done: int, total: int | None, seconds: float, status: str) -> None:
    of = f"{done}/{total}" if total is not None else f"{done}"
    rate = done / max(seconds, 1e-9)
    rest = f", {_clock((total - done) / rate)} left" if total and 0 < done < total else ""
    line = f"{description}: {of}, {rate:.3g}/s, {_clock(seconds)}{rest}{status and ', ' + status}"
    print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
