"""A policy behind a WebSocket: many clients, one network, each client in an episode of its own.

The messages are those of `s2robot.deploy.requests`, packed by `s2robot.deploy.wire`. The networks run in one
thread, requests in the order of arrival; a client has one request at a time, so none is served before another
twice. `GET /health` on the same port answers with figures as JSON.

What a client does wrong ends its own connection only: a close code says why (1007 no message, 1008 too many
requests, 1009 too large); a wrong token is answered by HTTP 401, and web pages are refused.
"""

import asyncio
import hmac
import json
import logging
import math
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from s2robot.deploy.figures import Figures
from s2robot.deploy.loaded import LoadedPolicy
from s2robot.deploy.requests import answer, hello
from s2robot.deploy.wire import packed, unpacked
from s2robot.errors import UserError

log = logging.getLogger(__name__)

T = TypeVar("T")
MARGIN_BYTES = 64 * 1024  # of a message, beside one and a half observations
HANDSHAKE_S = 3.0  # for a client to open or to close a connection; the server's end waits no longer for it
NO_MESSAGE, TOO_MANY, TRY_LATER = 1007, 1008, 1013  # close codes of RFC 6455 and IANA's list

quiet = logging.getLogger(f"{__name__}.connections")  # what clients do wrong would fill the log
quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Limits:
    """What a client may do."""

    clients: int = 16
    rate_hz: float = 200.0  # requests a second of a client, on average; a second's worth at once


class Server:
    """Serves a policy on a host and port until it is stopped. `token` is asked of clients if it is given."""

    def __init__(self, policy: LoadedPolicy, token: str | None = None, limits: Limits | None = None) -> None:
        self.policy, self.token, self.limits = policy, token, limits or Limits()
        self.figures = Figures()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._stopped = asyncio.Event()

    @property
    def max_bytes(self) -> int:
        """Largest message: one and a half observations with numbers of 8 bytes."""
        sizes = [math.prod(said["shape"]) * (1 if said["dtype"] == "uint8" else 8) for said in self._inputs()]
        return sum(sizes) * 3 // 2 + MARGIN_BYTES

    def stop(self) -> None:
        """Close the connections and end `run`."""
        self._stopped.set()

    async def run(self, host: str, port: int, ready: Callable[[str, int], None]) -> None:
        """Warm up, listen, call `ready` with host and port, serve until `stop`, SIGINT or SIGTERM.

        Raises `UserError` where it cannot listen.
        """
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.stop)
        try:
            await self._in_thread(self._warm_up)
            listening = serve(
                self._serve_client,
                host,
                port,
                process_request=self._admit,
                origins=[None],  # no web page: a browser would send it from any site
                compression=None,
                max_size=self.max_bytes,
                max_queue=1,
                open_timeout=HANDSHAKE_S,
                close_timeout=HANDSHAKE_S,
                logger=quiet,
            )
            try:
                server = await listening
            except OSError as error:
                raise UserError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
            async with server:
                ready(*server.sockets[0].getsockname()[:2])
                await self._stopped.wait()
        finally:
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(name)
            self._thread.shutdown(cancel_futures=True)

    def _inputs(self) -> list[dict[str, Any]]:
        return list(self.policy.inputs.values())

    def _warm_up(self) -> None:
        """Two decisions of nothing: libraries plan for the shapes in the first."""
        nothing = {key: np.zeros(s["shape"], s["dtype"]) for key, s in self.policy.inputs.items()}
        for _ in range(2):
            self.policy.another().act(nothing)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """The HTTP answer, or None where a WebSocket may be opened."""
        if request.path == "/health":
            headers = Headers({"Content-Type": "application/json", "Connection": "close"})
            body = (json.dumps(self.figures.plain()) + "\n").encode()
            headers["Content-Length"] = str(len(body))
            return Response(HTTPStatus.OK, "OK", headers, body)
        if self.token is not None:
            given = request.headers.get_all("Authorization")
            wanted = f"Bearer {self.token}".encode()
            if len(given) != 1 or not hmac.compare_digest(given[0].encode("utf-8", "replace"), wanted):
                return connection.respond(HTTPStatus.UNAUTHORIZED, "a token is needed: Bearer TOKEN\n")
        if self.figures.clients >= self.limits.clients:
            told = f"{self.figures.clients} clients are connected, which is all that are served\n"
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, told)
        return None

    async def _serve_client(self, connection: ServerConnection) -> None:
        if self.figures.clients >= self.limits.clients:  # several were admitted at the same time
            return await connection.close(TRY_LATER, "too many clients")
        self.figures.clients += 1
        try:
            await self._answer_all(connection)
        except ConnectionClosed:
            pass  # the client is gone, or was sent away
        except Exception:
            log.exception("a request failed")  # a defect: its client is told 1011, the others are served
            raise
        finally:
            self.figures.clients -= 1

    async def _answer_all(self, connection: ServerConnection) -> None:
        policy, allowance = self.policy.another(), _Allowance(self.limits.rate_hz)
        await connection.send(packed(hello(policy)))
        async for data in connection:
            began = time.monotonic()
            if not allowance.take(began):
                why = f"more than {self.limits.rate_hz:g} requests a second"
                return await self._refuse(connection, TOO_MANY, why)
            try:
                request = unpacked(data)
            except UserError as error:
                return await self._refuse(connection, NO_MESSAGE, str(error))
            try:
                reply = await self._in_thread(lambda: answer(policy, request))  # noqa: B023 (awaited here)
            except UserError as error:
                self.figures.errors += 1
                reply = {"error": str(error)}
            self.figures.served(time.monotonic() - began)
            await connection.send(packed(reply))

    async def _refuse(self, connection: ServerConnection, code: int, why: str) -> None:
        """One error message, and the end of the connection."""
        self.figures.errors += 1
        log.warning("a client is sent away: %s", why)
        await connection.send(packed({"error": why}))
        await connection.close(code, why.encode()[:120].decode(errors="ignore"))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


class _Allowance:
    """A client's requests: `rate` a second, a second's worth at once (a token bucket)."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.left, self.at = max(1.0, rate), time.monotonic()

    def take(self, now: float) -> bool:
        """Whether one more is allowed now."""
        self.left = min(max(1.0, self.rate), self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
