"""How a server is doing: clients, requests and latency, as `/health` tells."""

import time
from collections import deque
from typing import Any

import numpy as np

KEPT = 1000  # requests whose latency counts


class Figures:
    """Counted since the start; latencies are those of the last requests."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.clients, self.requests, self.errors = 0, 0, 0
        self._latencies_ms: deque[float] = deque(maxlen=KEPT)

    def served(self, seconds: float) -> None:
        """Note an answered request: from its arrival until its answer was ready, waiting included."""
        self.requests += 1
        self._latencies_ms.append(1000 * seconds)

    def plain(self) -> dict[str, Any]:
        """As JSON data; the percentiles are null before the first request."""
        values = list(self._latencies_ms)
        p50, p95 = np.percentile(values, [50, 95]).round(3).tolist() if values else (None, None)
        return {
            "status": "ok",
            "uptime_s": round(time.monotonic() - self.started, 1),
            "clients": self.clients,
            "requests": self.requests,
            "errors": self.errors,
            "latency_ms": {"p50": p50, "p95": p95},
        }
